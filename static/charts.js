// The common parts of all charts: colours from the style sheet, times on the axis, pictures and tables to download.
// Chart.js is loaded before, as a classic script.

const LAST_DATE = 8.64e12; // epoch seconds of JavaScript's last date; the first one is its negative
const DAY = 86400;
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 7 * 1440];
const ROUND = [1, 2, 5, 10, 15, 30, ...MINUTES.map((minutes) => minutes * 60)]; // seconds

const charts = new Set();

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Makes a chart with the given options in addition to the common ones. Its lines take their colours in order.
export function makeChart(canvas, type, options) {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const chart = new Chart(canvas, {
    type,
    data: { labels: [], datasets: [] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      ...options,
    },
  });
  charts.add(chart);
  paint(chart);
  return chart;
}

// Shows the chart's new data; hover and size stay.
export function update(chart) {
  paint(chart);
  chart.update();
}

function paint(chart) {
  chart.data.datasets.forEach((line, i) => {
    const colour = style(`line-${line.colour ?? i}`);
    line.borderColor = line.pointBorderColor = line.pointBackgroundColor = colour;
    line.backgroundColor = line.type === "bar" ? `${colour}80` : line.fill ? `${colour}24` : colour;
  });
  for (const scale of Object.values(chart.options.scales)) {
    scale.grid.color = style("rule");
    scale.border = { color: style("rule") };
    scale.ticks.color = style("muted");
    if (scale.title) scale.title.color = style("muted");
  }
  const { legend, tooltip } = chart.options.plugins;
  if (legend.labels) legend.labels.color = style("text");
  tooltip.titleColor = tooltip.bodyColor = tooltip.footerColor = style("text");
  tooltip.backgroundColor = style("panel");
  tooltip.borderColor = style("muted");
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  charts.forEach((chart) => (chart.canvas ? update(chart) : charts.delete(chart))); // a destroyed one has no canvas
});

export const legend = { labels: { usePointStyle: true, boxWidth: 8, boxHeight: 8 } };

export function tooltip(callbacks) {
  return { usePointStyle: true, boxPadding: 4, borderWidth: 1, callbacks };
}

// Writes epoch seconds as a date in the viewer's zone or, if JavaScript has no such date, as a number.
export function timeText(seconds, options = { dateStyle: "medium", timeStyle: "long" }) {
  if (Math.abs(seconds) > LAST_DATE) return `${seconds} s`;
  return new Intl.DateTimeFormat(undefined, options).format(seconds * 1000);
}

export function utcText(seconds) {
  if (Math.abs(seconds) > LAST_DATE) return `${seconds} s`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// Writes epoch seconds in a zone that is so many seconds ahead of UTC.
function zonedText(seconds, offset, options) {
  if (Math.abs(seconds) > LAST_DATE) return `${seconds} s`;
  return new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" }).format((seconds + offset) * 1000);
}

const two = (number) => String(number).padStart(2, "0");

// Writes epoch seconds in full in a zone that is so many seconds ahead of UTC, whose name not every browser knows.
export function fullZonedText(seconds, offset) {
  const ahead = Math.abs(offset);
  const parts = [Math.floor(ahead / 3600), Math.floor(ahead / 60) % 60, ahead % 60];
  const distance = `${offset < 0 ? "−" : "+"}${parts.slice(0, parts[2] ? 3 : 2).map(two).join(":")}`;
  return `${zonedText(seconds, offset, { dateStyle: "medium", timeStyle: "medium" })} ${distance}`;
}

// Makes a time axis whose labels are epoch seconds, with ticks at round times of the viewer's day, or of the day of a
// zone. Steps are of equal length, and positions are places in the list of labels; with `byTime` steps may differ, and
// positions are the labels. Neither are dates, so it works beyond the dates that JavaScript knows.
export function timeAxis(what, { byTime = false } = {}) {
  const axis = { type: byTime ? "linear" : "category", grid: {}, title: { display: true, text: what }, offset: false };
  let places = [];
  let labels = [];
  let texts = new Map();
  const position = (place) => (byTime ? labels[place] : place);
  axis.afterBuildTicks = (scale) => {
    scale.ticks = places.map((place) => ({ value: position(place) }));
  };
  axis.ticks = { maxRotation: 0, autoSkipPadding: 16, callback: (value) => texts.get(value) };
  // Call this when the times of the chart have changed. `zone` has a name, and the offset from UTC of each time;
  // `room` is how much of a step is left free on either side.
  axis.follow = (chart, times, step, { zone = null, room = 0 } = {}) => {
    labels = times;
    const offset = (place) => (zone ? zone.offsets[place] : viewerOffset(times[0]));
    places = roundPlaces(times.map((time, place) => time + offset(place)), step);
    const tickStyle = zone && step >= DAY ? { dateStyle: "medium" } : styleOf(times, step, places);
    const text = (place) => (zone ? zonedText(times[place], offset(place), tickStyle) : timeText(times[place], tickStyle));
    texts = new Map(places.map((place) => [position(place), text(place)]));
    const { x } = chart.options.scales;
    const free = times.length === 1 ? Math.max(room, 0.5) : room;
    if (byTime && times.length) [x.min, x.max] = [times[0] - free * step, times[times.length - 1] + free * step];
    else x.offset = free > 0;
    x.title.text = [what, daysOf(times, zone)];
  };
  return axis;
}

const viewerOffset = (time) => (Math.abs(time) > LAST_DATE ? 0 : new Date(time * 1000).getTimezoneOffset() * -60);

const modulo = (number, divisor) => ((number % divisor) + divisor) % divisor;

// Returns the places of at most a dozen round ones among times as clocks show them; all places if there are none.
function roundPlaces(clocks, step) {
  const every = clocks.map((_, place) => place);
  if (!clocks.length) return every;
  for (const round of ROUND.filter((round) => round >= step)) {
    const places = every.filter((place) => modulo(clocks[place], round) === 0);
    if (places.length <= 12 && (places.length > 1 || round < 7 * DAY)) return places.length > 1 ? places : every;
  }
  return Math.abs(clocks[0]) > LAST_DATE ? every : firstsOfMonths(clocks, every, step);
}

// Returns the places of at most a dozen midnights that begin a month, a quarter, a year or several years.
function firstsOfMonths(clocks, every, step) {
  const months = clocks.map((clock) => {
    const date = new Date(clock * 1000);
    return clock % DAY === 0 && date.getUTCDate() === 1 ? date.getUTCFullYear() * 12 + date.getUTCMonth() : null;
  });
  if (step > DAY && months.includes(null)) return every; // weeks, for instance, meet the first of a month by chance
  for (const round of [1, 3, 6, ...[1, 2, 5, 10, 20, 50, 100].map((years) => years * 12)]) {
    const places = every.filter((place) => months[place] !== null && months[place] % round === 0);
    if (places.length <= 12) return places.length > 1 ? places : every;
  }
  return every;
}

function styleOf(labels, step, places) {
  const span = step * labels.length;
  if (span > 1000 * DAY) return { dateStyle: "medium" };
  if (span > DAY) return { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return { timeStyle: places.every((place) => labels[place] % 60 === 0) ? "short" : "medium" };
}

function daysOf(labels, zone) {
  if (!labels.length) return "";
  const last = labels.length - 1;
  if (Math.max(Math.abs(labels[0]), Math.abs(labels[last])) > LAST_DATE) return "seconds since 1970";
  const name = zone ? zone.name : Intl.DateTimeFormat().resolvedOptions().timeZone;
  const style = { dateStyle: "medium" };
  const day = (place) => (zone ? zonedText(labels[place], zone.offsets[place], style) : timeText(labels[place], style));
  return `${[...new Set([0, last].map(day))].join(" – ")}, ${name}`;
}

// Makes a line. Its points are marked if they are few enough to tell apart.
export function line(label, data, pointStyle, more = {}) {
  return { label, data, pointStyle, pointRadius: data.length > 60 ? 0 : 3, pointHoverRadius: 5, borderWidth: 2, ...more };
}

// Gives a chart its lines. One that it has already, by its label, stays the same object with new data, so that a line
// that is hidden stays hidden.
export function setLines(chart, lines) {
  const known = new Map(chart.data.datasets.map((each) => [each.label, each]));
  chart.data.datasets = lines.map((each) => Object.assign(known.get(each.label) ?? {}, each));
}

// Dashes the end of a line that leads to a value which is not final, or to none.
export function dashEnd(line, isPartial) {
  const last = line.data.length - 1;
  line.segment = { borderDash: ({ p1DataIndex }) => (isPartial && p1DataIndex === last ? [5, 4] : undefined) };
}

// Saves the chart as a picture, on the background colour of the page.
export function savePicture(chart, name) {
  const { canvas } = chart;
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext("2d");
  context.fillStyle = style("page");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  save(copy.toDataURL("image/png"), `${name}.png`);
}

// Saves rows as CSV; the first row names the columns.
export function saveTable(rows, name) {
  const text = rows.map((row) => row.map((cell) => cell ?? "").join(",")).join("\r\n");
  save(`data:text/csv;charset=utf-8,${encodeURIComponent(`${text}\r\n`)}`, `${name}.csv`);
}

function save(url, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
}

export const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

// Returns the index of the unit that leaves at most three digits before the decimal point.
export function byteUnit(bytes) {
  return Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3 + 1e-9), BYTE_UNITS.length - 1);
}

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const power = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6, notation: "scientific" });

// Writes a number with at most six digits, and null as "no value".
export function figure(value) {
  if (value === null || value === undefined) return "no value";
  const ordinary = value === 0 || (Math.abs(value) >= 1e-6 && Math.abs(value) < 1e12);
  return (ordinary ? number : power).format(value);
}
