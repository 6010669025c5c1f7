// Single keys that do what links and buttons of the page do, and the list of them under `?`. They can be turned off,
// because who dictates, or rests a hand on the keyboard, would press them unawares (WCAG 2.1.4).

const KEPT = "keys";
const FIELDS = "input, select, textarea, [contenteditable]";
const CHART_KEYS = [
  [["←", "→"], "The point before or after"],
  [["↑", "↓"], "The same time on another line"],
  [["Home", "End"], "The first or last point"],
  [["Page Up", "Page Down"], "A tenth of the points back or on"],
  [["Esc"], "Leave the points"],
];

const isSeen = (element) => element?.checkVisibility() && !element.disabled;
const first = (selector) => [...document.querySelectorAll(selector)].find(isSeen);
const field = () => document.querySelector("input[type=search], #parameters p:not([hidden]) > input[data-keys]");

// Each key with what it does in words, the element that it needs, and what to do with that.
const KEYS = [
  ["?", "This list", () => opener, open],
  ["p", "Pause, or go on", () => first("#pause"), (button) => button.click()],
  ["u", "Times in UTC, or in your zone", () => first("#clock select"), turnClock],
  ["/", "Choose what is shown", field, reach],
  ["[", "Previous", () => first("a[rel=prev]"), (link) => link.click()],
  ["]", "Next", () => first("a[rel=next]"), (link) => link.click()],
];

const opener = document.getElementById("keys");
const dialog = document.createElement("dialog");
let active = kept() !== "off";

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing for us
  }
}

function keep(on) {
  active = on;
  try {
    localStorage.setItem(KEPT, on ? "on" : "off");
  } catch {
    // then it lasts as long as this page
  }
}

function turnClock(select) {
  select.value = select.value === "utc" ? "local" : "utc";
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function reach(input) {
  const folded = input.closest("details:not([open])");
  if (folded) folded.open = true;
  input.focus();
  input.select();
}

// Makes an element with attributes and children.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const row = (keys, words) =>
  make("div", {}, make("dt", {}, ...keys.flatMap((key) => [make("kbd", {}, key), " "])), make("dd", {}, words));

function open() {
  const here = KEYS.filter(([, , find]) => find()).map(([key, words]) => row([key], words));
  const charts = document.querySelector("[role=application]") ? CHART_KEYS.map(([keys, words]) => row(keys, words)) : [];
  const box = make("input", { type: "checkbox" });
  box.checked = active;
  box.addEventListener("change", () => keep(box.checked));
  dialog.replaceChildren(
    make("h2", { id: "keys-title" }, "Keys"),
    make("dl", { class: "keys" }, ...here),
    make("label", { class: "check" }, box, " These keys act alone, without Ctrl or Alt"),
    ...(charts.length ? [make("h3", {}, "In a chart that has the focus"), make("dl", { class: "keys" }, ...charts)] : []),
    make("form", { method: "dialog" }, make("button", { class: "quiet", autofocus: "" }, "Close")),
  );
  dialog.showModal();
}

function press(event) {
  const chord = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
  if (!active || chord || event.repeat || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest?.(FIELDS) || document.querySelector("dialog[open]")) return;
  const [, , find, act] = KEYS.find(([key]) => key === event.key) ?? [];
  const element = find?.();
  if (!element) return;
  event.preventDefault();
  act(element);
}

dialog.id = "keys-list";
dialog.setAttribute("aria-labelledby", "keys-title");
document.body.append(dialog);
opener.addEventListener("click", open);
document.addEventListener("keydown", press);
window.addEventListener("storage", ({ key, newValue }) => key === KEPT && (active = newValue !== "off"));
