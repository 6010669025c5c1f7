// What a page says of itself: that it loads, how old its data are, and why there are no newer ones.

import { localTime } from "./time.js";

const LOADING = 150; // milliseconds after which a page that is not there yet is said to be loading

const banner = document.getElementById("unreachable");

// Is in the page, empty, before there is something to say: only then is it read aloud.
const loading = document.createElement("p");
loading.id = "loading";
loading.setAttribute("role", "status");

const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();

let shownAt = inSeconds(0); // when the data shown were fetched, for pages that do not tell the time themselves

// Says that something is being loaded, unless it is there soon; call what is returned when it is there.
export function beginLoading() {
  if (!loading.isConnected) banner.after(loading);
  const timer = setTimeout(() => {
    loading.textContent = "Loading…";
    document.getElementById("view").setAttribute("aria-busy", "true");
  }, LOADING);
  return () => {
    clearTimeout(timer);
    loading.textContent = "";
    document.getElementById("view").removeAttribute("aria-busy");
  };
}

// The page is up to date. Takes the banner away, if there is one.
export function fresh() {
  shownAt = inSeconds(0);
  if (!banner.hidden) banner.hidden = true;
  delete document.body.dataset.trouble;
}

// The server confirms that nothing has changed up to a time.
export function unchanged(iso) {
  if (Number.isNaN(Date.parse(iso))) return;
  shownAt = iso;
  const time = stamp();
  if (!time) return;
  time.dateTime = iso;
  localTime(time);
}

// Makes a time of day, which follows the zone that the reader chooses.
function clockTime(iso) {
  const time = document.createElement("time");
  time.dateTime = iso;
  time.dataset.clock = "";
  localTime(time);
  return time;
}

// How old the data shown are.
const asOf = () => clockTime(stamp()?.dateTime ?? shownAt);

const stamp = () => document.querySelector("#updated time");

// The word before the time of the last update.
export function nameStamp(paused) {
  const word = document.getElementById("updated-word");
  if (!word) return;
  const text = paused ? "Paused, as of" : document.body.dataset.trouble ? "As of" : "Updated";
  if (word.textContent !== text) word.textContent = text;
}

// There is no connection, or no answer within the time.
export function unreachable() {
  say("unreachable", ["The server cannot be reached since ", clockTime(inSeconds(0)), ". "], "What is shown is as of ", asOf(), "; trying again.");
}

// The server answers, but not what is asked for; `delay` is the time in seconds that it asks to wait.
export function refused(status, delay) {
  const reasons = { 429: "Too many requests from here: the server asks to wait. ", 403: "The server refuses to show this page (403). " };
  const reason = reasons[status] ?? `The server has no answer at the moment (${status}). `;
  const again = delay > 0 ? ["; trying again at ", clockTime(inSeconds(delay))] : ["; trying again"];
  say(`refused-${status}`, [reason], "What is shown is as of ", asOf(), ...again, ".");
}

// The token of this page is not accepted any more.
export function signedOut() {
  const link = document.createElement("a");
  link.href = `${banner.dataset.signIn}?${new URLSearchParams({ next: location.pathname + location.search })}`;
  link.textContent = "Sign in";
  say("signed-out", ["You are signed out. "], "A token is needed to see more; what is shown is as of ", asOf(), ". ", link, ".");
}

// Shows the banner, which is read aloud; while its reason stays the same it is not touched, so that it is said once.
function say(trouble, reason, ...rest) {
  document.dispatchEvent(new Event("unreachable"));
  if (!banner.hidden && document.body.dataset.trouble === trouble) return;
  document.body.dataset.trouble = trouble;
  const strong = document.createElement("strong");
  strong.append(...reason);
  banner.replaceChildren(strong, ...rest);
  banner.hidden = false;
}
