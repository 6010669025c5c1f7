// Times in the reader's words, and in the zone that they chose in the header: their own, or UTC. The choice belongs to
// the reader and is kept by the browser; it is no part of addresses, which name instants.
//
// The server writes each time as a `<time>` element in UTC, and "UTC" in elements with `data-zone`.

const KEPT = "clock";
const LAST_DATE = 8.64e12; // epoch seconds of JavaScript's last date; the first one is its negative
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ownIsUTC = ["UTC", "Etc/UTC", "GMT", "Etc/GMT"].includes(own);

const FULL = { dateStyle: "medium", timeStyle: "medium" };
const DATE = { dateStyle: "medium" };
export const LONG = { dateStyle: "medium", timeStyle: "long" }; // with the zone
export const CLOCK = { timeStyle: "medium", hourCycle: "h23" };

let utc = kept() === "utc";
const formats = new Map();

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing for us
  }
}

// Calls `show` whenever another zone was chosen, here or in another tab.
export function onClock(show) {
  document.addEventListener("clock", show);
}

function choose(value) {
  utc = value === "utc";
  document.querySelector("#clock select").value = utc ? "utc" : "local";
  localTimes(document);
  document.dispatchEvent(new Event("clock"));
}

// Shows the choice in the header, unless the reader's own zone is UTC.
export function setUpClock() {
  const select = document.querySelector("#clock select");
  if (!select || ownIsUTC) return;
  select.options[0].text = own;
  select.value = utc ? "utc" : "local";
  select.addEventListener("change", () => {
    try {
      localStorage.setItem(KEPT, select.value);
    } catch {
      // then it lasts as long as this page
    }
    choose(select.value);
  });
  window.addEventListener("storage", ({ key, newValue }) => key === KEPT && choose(newValue));
  select.closest("#clock").hidden = false;
}

export const zoneName = () => (utc ? "UTC" : own);

export const isDate = (seconds) => Math.abs(seconds) <= LAST_DATE;

function write(seconds, options, timeZone) {
  if (!isDate(seconds)) return `${seconds} s`;
  const key = JSON.stringify([options, timeZone]);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(undefined, { ...options, timeZone }));
  return formats.get(key).format(seconds * 1000);
}

// Writes epoch seconds in the chosen zone or, if JavaScript has no such date, as a number.
export const timeText = (seconds, options = FULL) => write(seconds, options, utc ? "UTC" : undefined);

export function utcText(seconds, options = FULL) {
  if (!isDate(seconds)) return `${seconds} s`;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  return `${options === CLOCK ? text.slice(11) : text} UTC`;
}

// Writes epoch seconds in the zone that is not chosen, with its name: what is said beside the chosen one.
export const otherText = (seconds, options = FULL) =>
  utc && !ownIsUTC ? `${write(seconds, options)} ${own}` : utcText(seconds, options);

// Writes epoch seconds in a zone that is so many seconds ahead of UTC, whose name not every browser knows.
export const zonedText = (seconds, offset, options = FULL) =>
  isDate(seconds) ? write(seconds + offset, options, "UTC") : `${seconds} s`;

const two = (number) => String(number).padStart(2, "0");

// The same, with the distance from UTC.
export function fullZonedText(seconds, offset) {
  const ahead = Math.abs(offset);
  const parts = [Math.floor(ahead / 3600), Math.floor(ahead / 60) % 60, ahead % 60];
  const distance = `${offset < 0 ? "−" : "+"}${parts.slice(0, parts[2] ? 3 : 2).map(two).join(":")}`;
  return `${zonedText(seconds, offset)} ${distance}`;
}

// Returns by how many seconds the chosen zone is ahead of UTC at a time.
export const offsetAt = (seconds) => (utc || !isDate(seconds) ? 0 : new Date(seconds * 1000).getTimezoneOffset() * -60);

// Returns the epoch seconds of a date and time without offset, as the chosen zone's clocks show it.
export const secondsOf = (text) => new Date(utc ? `${text}Z` : text).getTime() / 1000;

// Returns the epoch seconds of a midnight of the chosen zone, or of the end of the hour that its clocks leave out there.
export function midnight(year, month, day) {
  const date = new Date(0);
  if (utc) {
    date.setUTCFullYear(year, month, day);
  } else {
    date.setFullYear(year, month, day);
    date.setHours(0, 0, 0, 0);
  }
  return Math.floor(date.getTime() / 1000);
}

const UNITS = [["second", 1, 60], ["minute", 60, 60], ["hour", 3600, 24], ["day", 86400, 30], ["month", 2629800, 12], ["year", 31557600, Infinity]];
const ago = new Intl.RelativeTimeFormat(undefined, { style: "short", numeric: "auto" });
const numericAgo = new Intl.RelativeTimeFormat(undefined, { style: "short" });

// Writes how long ago something was: "3 min. ago".
export function agoText(age) {
  const [unit, length] = UNITS.find(([, size, most]) => age < size * most);
  const number = Math.max(Math.floor(age / length), unit === "second" ? 0 : 1);
  return number ? numericAgo.format(-number, unit) : ago.format(0, unit);
}

// Writes a `<time>` in the chosen zone, with the other one as the title. Those with `data-offset` are in a zone that the
// page itself is about, and those with `data-clock` show the time of day. Those with `data-day` show the date, in a
// sentence (`words`) or a table, and those with `data-ago` how long ago it was; their titles are the time.
export function localTime(time) {
  const seconds = new Date(time.dateTime).getTime() / 1000;
  if (Number.isNaN(seconds)) return;
  const { offset, day, ago: age } = time.dataset;
  if (day !== undefined || age !== undefined) {
    const date = () => (day === "words" ? dayInWords(seconds, offset) : timeText(seconds, DATE));
    time.textContent = age === undefined ? date() : agoText(Number(age));
    time.title = bothTexts(seconds, offset);
    return;
  }
  const style = "clock" in time.dataset ? CLOCK : FULL;
  time.textContent = offset ? fullZonedText(seconds, Number(offset)) : timeText(seconds, style);
  time.title = offset ? utcText(seconds) : otherText(seconds, style);
}

// Writes a date or, if it is of today, the time of day.
function dayInWords(seconds, offset) {
  const written = (at, style) => (offset === undefined ? timeText(at, style) : zonedText(at, Number(offset), style));
  const date = { dateStyle: "long" };
  const isToday = written(seconds, date) === written(Date.now() / 1000, date);
  return isToday ? `${written(seconds, { timeStyle: "short" })} today` : written(seconds, date);
}

// Writes a time in the zone that is shown, and in the other one.
function bothTexts(seconds, offset) {
  if (offset !== undefined) return `${fullZonedText(seconds, Number(offset))} · ${utcText(seconds)}`;
  return ownIsUTC ? timeText(seconds, LONG) : `${timeText(seconds, LONG)} · ${otherText(seconds)}`;
}

// Writes the times of a part of a page, and the names of the chosen zone.
export function localTimes(part) {
  part.querySelectorAll("time[datetime]").forEach(localTime);
  for (const label of part.querySelectorAll("[data-zone]")) label.textContent = utc ? "UTC" : label.dataset.zone || own;
}
