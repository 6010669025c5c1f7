// Live pages: the part of a page that shows data is fetched and replaced when the user chooses another address and, if
// the page is live, every few seconds. The server renders each page as a whole, so all work without JavaScript too.
import { localNumbers } from "./numbers.js";
import { localTimes, setUpClock } from "./time.js";

const SLOWEST = 15; // the longest time in seconds between attempts to reach the server again
const PATIENCE = 10; // seconds after which an attempt counts as failed

const view = () => document.getElementById("view");
const banner = document.getElementById("unreachable");

let timer = 0;
let attempt = null; // aborts the current request
let failures = 0;

// Calls `show` with the view when the page opens and each time it is replaced.
export function onView(show) {
  document.addEventListener("view", () => show(view()));
  show(view());
}

// Starts to handle links, forms and the address bar, and to refresh a live page.
export function start() {
  document.addEventListener("click", followLink);
  document.addEventListener("submit", followForm);
  window.addEventListener("popstate", () => visit(location.href, { controls: true }));
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : refresh()));
  window.addEventListener("online", refresh);
  setUpClock();
  inWords(document);
  schedule();
}

const isHere = (url) => url.origin === location.origin && url.pathname === location.pathname;

function followLink(event) {
  const link = event.target.closest("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || event.defaultPrevented || link.hasAttribute("download") || !isHere(new URL(link.href))) return;
  event.preventDefault();
  visit(link.href, { push: true, controls: true });
}

function followForm(event) {
  const form = event.target;
  const url = new URL(form.action);
  if (event.defaultPrevented || form.method !== "get" || !isHere(url)) return;
  event.preventDefault();
  // An empty control means the default, and is left out of the address.
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  visit(url.href, { push: url.href !== location.href, controls: true });
}

// Shows the page of an address. A live page schedules its next refresh.
export async function visit(url, { push = false, controls = false } = {}) {
  pause();
  attempt = new AbortController();
  const { signal } = attempt;
  const begin = performance.now();
  try {
    const [page, text] = await request(url, signal);
    if (push) history.pushState(null, "", url);
    if (page.status === 401) return signedOut();
    exchange(new DOMParser().parseFromString(text, "text/html"), controls);
    reached();
    schedule(performance.now() - begin);
    return page.ok;
  } catch (error) {
    if (signal.aborted) return false; // something else is being fetched, or the page is hidden
    if (push) history.pushState(null, "", url); // the requested page is shown when the server is back
    unreachable();
    timer = setTimeout(refresh, 1000 * Math.max(Math.min(2 ** (failures - 1), SLOWEST), error.delay ?? 0));
    return false;
  }
}

// The server refused to answer; `delay` is the time in seconds that it asks to wait.
class Refused extends Error {
  constructor(page) {
    super(`status ${page.status}`);
    this.delay = Number(page.headers.get("Retry-After")) || 0;
  }
}

async function request(url, signal) {
  const late = AbortSignal.timeout(PATIENCE * 1000);
  const page = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.any([signal, late]) });
  if (page.status >= 500 || page.status === 429) throw new Refused(page);
  return [page, await page.text()];
}

const refresh = () => visit(location.href, { controls: failures > 0 });

function pause() {
  clearTimeout(timer);
  attempt?.abort();
}

// A page that takes long is refreshed less often, so that watching it costs the server little.
function schedule(took = 0) {
  clearTimeout(timer);
  const seconds = Number(view().dataset.refresh);
  if (seconds > 0 && !document.hidden) timer = setTimeout(refresh, Math.max(seconds * 1000, took * 10));
}

function unreachable() {
  failures += 1;
  document.dispatchEvent(new Event("unreachable"));
  if (!banner.hidden) return;
  const since = new Date().toLocaleTimeString();
  banner.textContent = `The server cannot be reached since ${since}. The data shown are from before; trying again.`;
  banner.hidden = false;
}

// The token of this page is not accepted any more: no more requests until the user signs in again.
function signedOut() {
  document.dispatchEvent(new Event("unreachable"));
  const link = document.createElement("a");
  link.href = `${banner.dataset.signIn}?${new URLSearchParams({ next: location.pathname + location.search })}`;
  link.textContent = "Sign in";
  banner.replaceChildren("A token is needed to see more; the data shown are from before. ", link, ".");
  banner.hidden = false;
  return false;
}

function reached() {
  failures = 0;
  banner.hidden = true;
}

// Replaces the view by that of a new page. Elements marked as kept, such as canvases, stay; so do open details, the
// focus, and the selection in a kept element.
function exchange(page, controls) {
  const [before, after] = [view(), page.getElementById("view")];
  if (!after) return location.reload(); // another version of the service
  const focused = document.activeElement?.id;
  const { anchorNode, anchorOffset, focusNode, focusOffset, isCollapsed } = getSelection();
  for (const kept of before.querySelectorAll("[data-keep]")) {
    page.getElementById(kept.id)?.replaceWith(kept);
  }
  for (const details of before.querySelectorAll("details[id][open]")) {
    page.getElementById(details.id)?.setAttribute("open", "");
  }
  document.title = page.title;
  document.querySelector("h1")?.replaceWith(page.querySelector("h1"));
  before.replaceWith(document.adoptNode(after));
  if (controls) copyControls(page);
  inWords(after);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (!isCollapsed && [anchorNode, focusNode].every((node) => node.isConnected)) {
    getSelection().setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  }
  document.dispatchEvent(new Event("view"));
}

// Writes what the server has written in English and UTC in the reader's words.
function inWords(part) {
  localTimes(part);
  localNumbers(part);
}

// Sets the controls to the parameters of the address.
function copyControls(page) {
  for (const form of document.forms) {
    for (const control of page.forms[form.id]?.elements ?? []) {
      const mine = form.elements[control.name];
      if (mine && control.name) mine.value = control.value;
    }
  }
  document.dispatchEvent(new Event("controls"));
}

// Suggests the keys that contain the text typed into a control, whose `data-keys` is the address that lists them.
export function suggest(input, field) {
  const list = document.createElement("datalist");
  list.id = `${input.id}-keys`;
  input.after(list);
  input.setAttribute("list", list.id);
  let waiting = 0;
  let asked = null;
  const ask = async () => {
    asked?.abort();
    asked = new AbortController();
    const query = new URLSearchParams({ limit: 50, ...(input.value.trim() ? { search: input.value } : {}) });
    const answer = await fetch(`${input.dataset.keys}?${query}`, { headers: { Accept: "application/json" }, signal: asked.signal });
    if (!answer.ok) return;
    list.replaceChildren(...(await answer.json()).map((row) => new Option("", row[field])));
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask().catch(() => {}), 150);
  };
  input.addEventListener("input", soon);
  input.addEventListener("focus", soon, { once: true });
}
