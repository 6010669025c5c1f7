// The datapoints page: draws averages and moving averages, and keeps the controls of the form in step.
import { dashOpen, legend, line, makeChart, setLines, tooltip, update } from "../charts.js";
import { byValue, dotOpen, oneOfMany, shortened, showLegend } from "../lines.js";
import { onView, start, suggest, visit } from "../live.js";
import { setUpLookup } from "../lookup.js";
import { figure, fullText } from "../numbers.js";
import { setUpPickers } from "../picker.js";
import { savePicture } from "../picture.js";
import { LAST_SECOND, rangeText, setUpRanges, zoomBack, zoomTo } from "../ranges.js";
import { LONG, fullZonedText, onClock, otherText, timeText, utcText, zoneName, zonedText } from "../time.js";
import { timeAxis } from "../timeaxis.js";
import { zooming } from "../zoom.js";

const FEW = 60; // up to this number, each point is marked

const form = document.getElementById("parameters");
const axis = timeAxis("Start of bucket");
let chart = null;
let data = null;

const bars = () => document.getElementById("drawn")?.value === "bar";
const movingName = () => `moving average over ${data.window_size}`;

// Where a bucket begins; it ends where the next one begins.
const edge = (at) => data.labels[at] ?? data.stop;
const edgeText = (at) => (data.zone ? fullZonedText(edge(at), data.zone.offsets[at]) : timeText(edge(at), LONG));
const asideText = (at) => (data.zone ? utcText(edge(at)) : otherText(edge(at)));

// Averages come first in legend and tooltip, though they are drawn behind the moving averages.
const inOrder = (a, b) => a.datasetIndex - b.datasetIndex;
const inTooltip = (a, b) => (data.lines ? byValue(a, b) : inOrder(a, b));

function options() {
  return {
    scales: { x: axis, y: { grid: {}, title: { display: true, text: "Average per bucket" }, ticks: {} } },
    plugins: {
      legend: { labels: { ...legend.labels, sort: inOrder } },
      tooltip: {
        itemSort: inTooltip,
        ...tooltip({
          title: ([{ dataIndex: at }]) => [`from ${edgeText(at)}`, `before ${edgeText(at + 1)}`],
          label: (item) => `${item.dataset.label}: ${figure(item.raw)}`,
          afterBody: (items) => rest(items),
          footer: ([{ dataIndex: at }]) => `[${asideText(at)}, ${asideText(at + 1)})`,
        }),
      },
    },
  };
}

const isSoFar = (at) => data.partial && at === data.labels.length - 1;

// Returns the lines of the tooltip that no curve provides: missing values, and the count.
function rest(items) {
  const at = items[0].dataIndex;
  const told = new Set(items.map((item) => item.dataset));
  const missing = chart.data.datasets.filter((each, i) => each.data[at] === null && chart.isDatasetVisible(i) && !told.has(each));
  const none = missing.map((each) => `${each.label}: no value`);
  if (data.lines) return [...none, ...(isSoFar(at) ? ["not over: the values so far"] : [])];
  return [...none, `datapoints: ${fullText(data.counts[at])}${isSoFar(at) ? " so far" : ""}`];
}

// A point without neighbours makes no line, so it is marked, however many points there are.
function marks(values) {
  const alone = (at) => (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
  return values.map((value, at) => (value !== null && (values.length <= FEW || alone(at)) ? 3 : 0));
}

function draw() {
  const canvas = document.getElementById("chart");
  if (chart && chart.canvas !== canvas) chart = void chart.destroy();
  if (!canvas) return;
  data = JSON.parse(document.getElementById("chart-data").textContent);
  chart ??= makeChart(canvas, "line", options(), [zooming({ to: zoomIn, back: zoomBack, text: chosenText })]);
  canvas.setAttribute("aria-label", data.about);
  chart.data.labels = data.labels;
  const lines = data.lines ? manyLines() : twoLines();
  setLines(chart, lines);
  chart.options.plugins.legend.display = !data.lines;
  show();
  showLegend(document.getElementById("legend"), chart, data.lines ? lines : []);
}

const twoLines = () =>
  [
    ["average", "average", data.averages, "circle"],
    ["moving average", movingName(), data.moving_averages, "rectRot"],
  ].map(([name, label, values, style]) => line(label, values, style, { name, pointRadius: marks(values) }));

// The curves of several devices or users, each with its own points.
const manyLines = () =>
  data.lines.map(({ name, look, values }, place) =>
    dotOpen(oneOfMany({ name: `of ${name}`, label: shortened(name), title: name, look }, values, place), isSoFar),
  );

// Bars begin at zero, so that their lengths can be compared; a line need not. The moving average is drawn in front.
function show() {
  axis.follow(chart, data.labels, data.bucket, { zone: data.zone, before: bars() ? 0.5 : 0 });
  chart.options.scales.y.beginAtZero = bars();
  chart.options.scales.y.title.text = data.lines ? capital(`${data.curve} per bucket`) : "Average per bucket";
  if (!data.lines) showTwo();
  update(chart);
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function showTwo() {
  const [averages, moving] = chart.data.datasets;
  const many = data.labels.length > FEW;
  Object.assign(averages, { type: bars() ? "bar" : "line", borderWidth: bars() ? 0 : 2, order: 2 });
  for (const each of [averages, moving]) dashOpen(each, isSoFar);
  averages.barPercentage = averages.categoryPercentage = many ? 1 : 0.9; // many leave no room between them
  Object.assign(moving, { type: "line", order: 1 });
  averages.barThickness = "flex"; // months and days differ in length
}

// Saves the chart with what the page says about it.
function picture() {
  const range = data.labels.length ? [`From ${edgeText(0)} up to, but not including, ${edgeText(data.labels.length)}, ${data.zone?.name ?? zoneName()}`] : [];
  savePicture(chart, data.file, [document.querySelector("h1").textContent, ...range, `${chart.options.scales.y.title.text} of ${data.width}`]);
}

// Shows the range between two times, in buckets that fit. Up to the last point is up to the end of its bucket.
function zoomIn(from, to) {
  const first = Math.max(Math.floor(from), 0);
  const end = to >= data.labels.at(-1) ? data.stop : Math.max(Math.ceil(to), first + 1);
  const last = Math.min(end, LAST_SECOND);
  zoomTo({ range: null, bucket: null, offset: null, start: writeTime(first), end: writeTime(last) });
}

// Writes a range in the zone that the page is about, if there is one.
function chosenText(from, to) {
  if (!data.zone) return rangeText(from, to);
  const after = (time) => data.labels.findIndex((label) => label > time);
  const offset = (time) => data.zone.offsets[Math.max(after(time) < 0 ? data.labels.length - 1 : after(time) - 1, 0)];
  return rangeText(from, to, (time, style) => zonedText(time, offset(time), style));
}

// Puts how averages are drawn into the address. What was typed into the form waits for its button.
function changeDrawing({ value }) {
  const url = new URL(location.href);
  if (value) url.searchParams.set("averages", value);
  else url.searchParams.delete("averages");
  visit(url.href, { push: true, keep: true });
}

// A range ends now, so it goes with no start and no end: what is typed last is meant.
function keepApart({ target }) {
  const { range, start: from, end } = form.elements;
  if (target === range && range.value) from.value = end.value = "";
  else if ((target === from || target === end) && target.value) range.value = "";
  else return;
  document.dispatchEvent(new Event("controls")); // the pickers follow
}

// Shows one field for the key, and a choice of device or user; the address has a parameter for each. Where several are
// chosen, there is neither.
function setUpChoice() {
  const choice = () => document.getElementById("axis");
  const fields = () => ["device", "user"].map((id) => document.getElementById(id));
  const follow = () => {
    const filled = fields().filter((field) => field.value);
    for (const field of fields()) {
      const shown = field.name === choice().value || filled.length === 2; // show both if both are given, which is wrong
      field.closest("p").hidden = !shown;
      field.disabled = !shown;
    }
    const more = document.getElementById("one_more")?.querySelector("input");
    if (!more) return;
    more.disabled = more.name !== choice().value; // there is one to compare with of the kind that the page is about
    more.closest("p").hidden = more.disabled;
  };
  const fromAddress = () => {
    for (const input of form.querySelectorAll("input[data-keys]:not([list])")) suggest(input, input.name);
    if (!choice()) return;
    choice().value = fields().find((field) => field.value)?.name ?? choice().value;
    follow();
    document.getElementById("axis_choice").hidden = false;
  };
  form.addEventListener("change", ({ target }) => {
    if (target !== choice()) return;
    for (const field of fields()) if (field.name !== choice().value) field.value = "";
    follow();
  });
  document.addEventListener("controls", fromAddress);
  fromAddress();
}

// Suggests the zones that the browser knows; the server may know more.
for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) document.getElementById("zones").append(new Option("", zone));

// Reads times as the API does: ISO 8601, in UTC unless there is an offset, or epoch seconds.
function readTime(text) {
  if (/^[0-9]{1,12}(\.[0-9]*)?$/.test(text)) return Number(text);
  const zoned = /T.*(Z|[+-][0-9:]+)$/i.test(text) || !/[T ]/i.test(text);
  return new Date(zoned ? text : `${text}Z`).getTime() / 1000;
}

const writeTime = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

onClock(() => chart && show());
document.addEventListener("change", ({ target }) => {
  if (target.id !== "drawn" || !chart) return;
  show();
  changeDrawing(target);
});
form.addEventListener("input", keepApart);
document.addEventListener("click", (event) => event.target.id === "picture" && picture());
setUpChoice();
setUpPickers(form, readTime, writeTime);
// A page that the browser restores from its cache has the controls as they were edited.
window.addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  form.reset();
  document.dispatchEvent(new Event("controls"));
});
setUpRanges(form);
setUpLookup();
onView(draw);
start();
