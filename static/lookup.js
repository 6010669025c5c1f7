// The search field above a list: the list follows what is typed. Without JavaScript it is a form with a button.
import { visit } from "./live.js";

const PAUSE = 150; // milliseconds after the last key

let timer = 0;

// Shows what the text finds, from its first page on. Each text takes the place of the one before in the history.
function look(input) {
  const url = new URL(location.href);
  url.searchParams.delete("cursor");
  if (input.value.trim()) url.searchParams.set("search", input.value);
  else url.searchParams.delete("search");
  if (url.href === location.href) return;
  history.replaceState(null, "", url);
  visit(url.href, { keep: true });
}

export function setUpLookup() {
  document.addEventListener("input", ({ target }) => {
    if (target.id !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(() => target.isConnected && look(target), PAUSE);
  });
  document.addEventListener("submit", () => clearTimeout(timer), { capture: true });
}
