// The link to the content moves the focus and leaves the address as it is, which is that of what the page shows.

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("content").focus();
});
