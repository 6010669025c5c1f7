// Live pages: the part of a page that shows data is brought up to date in place when the user chooses another address
// and, if the page is live, every few seconds or when the server has something new. The server renders each page as a
// whole, so all work without JavaScript too.

import { morph } from "./morph.js";
import { localNumbers } from "./numbers.js";
import { ACCEPTED, isStream, readStream, takeConnection } from "./push.js";
import { beginLoading, fresh, nameStamp, refused, signedOut, unchanged, unreachable } from "./states.js";
import { localTimes, setUpClock } from "./time.js";

const SLOWEST = 15; // the longest time in seconds between attempts to reach the server again
const PATIENCE = 10; // seconds after which an attempt counts as failed
const FIRST_EVENT = 5; // seconds in which a stream must begin; a proxy that collects it first is found out so
const SILENCE = 40; // seconds without a sign of life after which a stream counts as dead; there is one every 15
const AGAIN = 1; // seconds within which a page asks again after its stream broke off, each at another moment

const view = () => document.getElementById("view");

let timer = 0;
let attempt = null; // aborts the current request, or the stream that is being read
let failures = 0;
let paused = false;
let pushes = true; // whether it is worth while to ask for a stream
let turn = 0; // counts the requests and what ends them
let unshown = false; // whether the page of the address has been asked for, and not been shown yet
const edited = new Set(); // controls that were edited since the address was chosen

// Calls `show` with the view when the page opens and each time it is brought up to date.
export function onView(show) {
  document.addEventListener("view", () => show(view()));
  show(view());
}

// Starts to handle links, forms and the address bar, and to refresh a live page.
export function start() {
  document.addEventListener("click", followLink);
  document.addEventListener("click", (event) => event.target.id === "pause" && setPaused(!paused));
  document.addEventListener("submit", followForm);
  for (const kind of ["input", "change"]) document.addEventListener(kind, ({ target }) => edited.add(target));
  window.addEventListener("popstate", () => visit(location.href));
  document.addEventListener("visibilitychange", () => (document.hidden ? halt() : refresh()));
  window.addEventListener("online", refresh);
  setUpClock();
  inWords(document);
  showPause();
  schedule();
}

const isHere = (url) => url.origin === location.origin && url.pathname === location.pathname;

function followLink(event) {
  const link = event.target.closest("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || event.defaultPrevented || link.hasAttribute("download") || !isHere(new URL(link.href))) return;
  event.preventDefault();
  visit(link.href, { push: true });
}

function followForm(event) {
  const form = event.target;
  const url = new URL(form.action);
  if (event.defaultPrevented || form.method !== "get" || !isHere(url)) return;
  event.preventDefault();
  // An empty control means the default, and is left out of the address.
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  visit(url.href, { push: url.href !== location.href });
}

// Shows the page of an address that the user has chosen; with `keep`, what was typed into the form stays. `state` is kept
// by the browser's history for a page that is pushed.
export async function visit(url, { push = false, keep = false, state = null } = {}) {
  unshown = true;
  if (!keep) edited.clear();
  const loaded = beginLoading();
  await ask(url, { push, state });
  loaded();
}

// Brings the page up to date, and keeps it so: by a stream if the server sends one, else by asking again.
async function refresh() {
  if (paused && !unshown) return;
  halt();
  const mine = turn;
  const release = pushes && !paused && view().dataset.refresh ? await takeConnection() : null;
  if (mine === turn) await ask(location.href, { streams: Boolean(release) });
  release?.();
}

async function ask(url, { push = false, state = null, streams = false } = {}) {
  halt();
  attempt = new AbortController();
  const { signal } = attempt;
  const begin = performance.now();
  const watch = watchdog(signal);
  let isReading = false;
  const enter = () => {
    if (push) history.pushState(state, "", url);
    push = false;
  };
  try {
    watch.within(streams ? FIRST_EVENT : PATIENCE);
    const headers = { Accept: streams ? ACCEPTED : "text/html" };
    const answer = await fetch(url, { headers, cache: "no-store", signal: watch.signal });
    if (answer.status >= 500 || answer.status === 429) throw new Refusal(answer);
    if (isStream(answer)) {
      const onPage = (text) => {
        isReading = true;
        show(answer, text);
      };
      await readStream(answer, { onPage, onTime: unchanged, onSign: () => watch.within(isReading ? SILENCE : FIRST_EVENT) });
      timer = setTimeout(refresh, Math.random() * AGAIN * 1000);
    } else {
      if (streams && answer.ok) pushes = false; // this server sends none, or has enough of them
      const text = await answer.text();
      enter(); // together with what is shown there
      if (answer.status === 401) return end();
      show(answer, text);
      schedule(performance.now() - begin);
    }
  } catch (error) {
    if (signal.aborted) return; // something else is being fetched, or the page is hidden
    enter(); // the requested page is shown when the server is back
    if (streams && watch.signal.aborted && !isReading) pushes = false; // there was time enough for a stream to begin
    if (isReading || (streams && !pushes)) timer = setTimeout(refresh, Math.random() * AGAIN * 1000);
    else retry(error);
  } finally {
    watch.end();
  }
}

// A signal that also fires when nothing is heard from the server within so many seconds.
function watchdog(signal) {
  const late = new AbortController();
  let patience = 0;
  return {
    signal: AbortSignal.any([signal, late.signal]),
    within(seconds) {
      clearTimeout(patience);
      patience = setTimeout(() => late.abort(), seconds * 1000);
    },
    end: () => clearTimeout(patience),
  };
}

// The server refused to answer; `delay` is the time in seconds that it asks to wait.
class Refusal extends Error {
  constructor({ status, headers }) {
    super(`status ${status}`);
    this.status = status;
    this.delay = Number(headers.get("Retry-After")) || 0;
  }
}

// Tries again later, with growing pauses, and says why.
function retry(error) {
  failures += 1;
  const delay = error instanceof Refusal ? error.delay : 0;
  if (error instanceof Refusal) refused(error.status, delay);
  else unreachable();
  nameStamp(paused);
  timer = setTimeout(refresh, 1000 * Math.max(Math.min(2 ** (failures - 1), SLOWEST), delay));
}

// Nothing more is asked for until the user signs in again.
function end() {
  signedOut();
  nameStamp(paused);
}

// Stops to ask, to wait, and to read.
function halt() {
  turn += 1;
  clearTimeout(timer);
  attempt?.abort();
}

// A page that takes long is refreshed less often, so that watching it costs the server little.
function schedule(took = 0) {
  clearTimeout(timer);
  const seconds = Number(view().dataset.refresh);
  if (seconds > 0 && !document.hidden && !paused) timer = setTimeout(refresh, Math.max(seconds * 1000, took * 10));
}

function setPaused(on) {
  paused = on;
  showPause();
  if (paused) halt();
  else refresh();
}

function showPause() {
  const button = document.getElementById("pause");
  button?.setAttribute("aria-pressed", String(paused));
  nameStamp(paused);
}

// Brings the page up to date in place.
function show(answer, text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const after = page.getElementById("view");
  if (!after && !answer.ok) throw new Refusal(answer);
  if (!after) return location.reload(); // another version of the service
  if (document.title !== page.title) document.title = page.title;
  morph(document.querySelector("h1"), page.querySelector("h1"));
  inWords(after);
  morph(view(), after);
  failures = 0;
  fresh();
  showPause();
  if (unshown) copyControls(page);
  unshown = false;
  document.dispatchEvent(new Event("view"));
}

// Writes what the server has written in English and UTC in the reader's words.
function inWords(part) {
  localTimes(part);
  localNumbers(part);
}

// Sets the controls to the parameters of the address, but for those that were edited since it was chosen. The parts of a
// form that are marked with `data-choice` have other controls for other addresses.
function copyControls(page) {
  for (const part of document.querySelectorAll("[data-choice]")) {
    const after = page.getElementById(part.id);
    if (after) morph(part, after);
  }
  for (const form of document.forms) {
    for (const control of page.forms[form.id]?.elements ?? []) {
      const mine = (control.id && document.getElementById(control.id)) || form.elements[control.name];
      if (mine && control.name && !edited.has(mine)) mine.value = control.value;
    }
  }
  document.dispatchEvent(new Event("controls"));
}

// Suggests the keys that contain the text typed into a control, whose `data-keys` is the address that lists them.
export function suggest(input, field) {
  const id = `${input.id}-keys`;
  const list = document.getElementById(id) ?? document.body.appendChild(Object.assign(document.createElement("datalist"), { id }));
  input.setAttribute("list", id);
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
