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

// Makes a time axis with steps of equal length, whose labels are epoch seconds, with ticks at round times of the viewer's
// day. Positions are indices and not dates, so it works beyond the dates that JavaScript knows.
export function timeAxis(what) {
  const axis = { grid: {}, title: { display: true, text: what }, offset: false };
  let places = [];
  let labels = [];
  let tickStyle = {};
  axis.afterBuildTicks = (scale) => {
    scale.ticks = places.map((value) => ({ value }));
  };
  axis.ticks = { maxRotation: 0, autoSkipPadding: 16, callback: (place) => timeText(labels[place], tickStyle) };
  // Call this when the times of the chart have changed.
  axis.follow = (chart, times, step) => {
    labels = times;
    places = roundPlaces(times);
    tickStyle = styleOf(times, step, places);
    const { x } = chart.options.scales;
    x.offset = times.length === 1;
    x.title.text = [what, daysOf(times)];
  };
  return axis;
}

// Returns the places of at most a dozen round times of the viewer's day; all places if there are no round times.
function roundPlaces(labels) {
  const every = labels.map((_, place) => place);
  if (!labels.length) return every;
  const shift = Math.abs(labels[0]) > LAST_DATE ? 0 : new Date(labels[0] * 1000).getTimezoneOffset() * 60;
  for (const step of ROUND) {
    const places = every.filter((place) => (labels[place] - shift) % step === 0);
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

function daysOf(labels) {
  if (!labels.length) return "";
  const [first, last] = [labels[0], labels[labels.length - 1]];
  if (Math.max(Math.abs(first), Math.abs(last)) > LAST_DATE) return "seconds since 1970";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const days = [...new Set([first, last].map((time) => timeText(time, { dateStyle: "medium" })))];
  return `${days.join(" – ")}, ${zone}`;
}

// Makes a line. Its points are marked if they are few enough to tell apart.
export function line(label, data, pointStyle, more = {}) {
  return { label, data, pointStyle, pointRadius: data.length > 60 ? 0 : 3, pointHoverRadius: 5, borderWidth: 2, ...more };
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
