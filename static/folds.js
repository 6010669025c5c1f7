// The form above a chart: it stands open where there is room, and folds on a phone, so that the chart comes first. The
// server opens it where there is no chart yet. Without this script the style sheet shows it where there is room.

const details = document.getElementById("choose");
const form = details.querySelector("form");
const narrow = window.matchMedia("(max-width: 36rem)"); // as in style.css
let sent = false;

const hasChart = () => document.querySelector("#view canvas") !== null;

// Folds the form if there is something to see instead, but not under the hands of who is filling it in.
function fold() {
  const inHand = form.contains(document.activeElement) && !sent;
  sent = false;
  if (!narrow.matches || !hasChart()) details.open = true;
  else if (!inHand) close();
}

function close() {
  if (form.contains(document.activeElement)) details.querySelector("summary").focus();
  details.open = false;
}

form.addEventListener("submit", () => (sent = true));
document.addEventListener("controls", fold);
narrow.addEventListener("change", fold);
fold();
