// Pages on paper: the line at the top that says when they were printed, and a sign for charts to print themselves. The
// rest is print.css. The class `paper` keeps the colours of the dark scheme away also where a browser copies a page for
// its printer before it applies what style sheets have for paper.
import { localTimes, zoneName } from "./time.js";

const print = window.matchMedia("print");

// Calls `show` with true when the page goes to paper, and with false when it is back on the screen.
export function onPaper(show) {
  document.addEventListener("paper", ({ detail }) => show(detail));
}

// Both signs come where both are known, and twice is as good as once.
print.addEventListener("change", () => turn(print.matches));
window.addEventListener("beforeprint", () => turn(true));
window.addEventListener("afterprint", () => turn(false));

function turn(on) {
  document.documentElement.classList.toggle("paper", on);
  if (on) sign();
  document.dispatchEvent(new CustomEvent("paper", { detail: on }));
}

function sign() {
  const line = document.getElementById("printed");
  if (!line) return;
  const shown = document.querySelector("#updated time")?.dateTime;
  const asOf = shown ? [" Figures as of ", timeOf(shown), "."] : [];
  line.replaceChildren("Printed ", timeOf(new Date().toISOString()), `, ${zoneName()}.`, ...asOf, " ", location.href);
}

function timeOf(iso) {
  const time = document.createElement("time");
  time.dateTime = iso;
  const part = document.createElement("span");
  part.append(time);
  localTimes(part);
  return part;
}
