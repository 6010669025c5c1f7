// For pages that need a token: browsers keep pages that are left, to show them again when one goes back, although they may
// store none. One may have signed out since. So such a page hides when it is left, and is asked for again.

addEventListener("pagehide", () => (document.documentElement.hidden = true));
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
