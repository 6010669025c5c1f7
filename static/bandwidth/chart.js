// The bandwidth page: draws the windows in the unit of the address, and keeps the form's two fields for the end in step.
import { dashOpen, legend, line, makeChart, setLines, tooltip, update } from "../charts.js";
import { byValue, dotOpen, oneOfMany, shortened, showLegend } from "../lines.js";
import { onView, start, suggest, visit } from "../live.js";
import { setUpLookup } from "../lookup.js";
import { localText } from "../numbers.js";
import { setUpPickers } from "../picker.js";
import { savePicture } from "../picture.js";
import { LAST_SECOND, rangeText, setUpRanges, zoomBack, zoomTo } from "../ranges.js";
import { firstSpan } from "../spans.js";
import { LONG, onClock, otherText, timeText, zoneName } from "../time.js";
import { timeAxis } from "../timeaxis.js";
import { byteAxis, bytesText, isBits, isFamily } from "../units.js";
import { zooming } from "../zoom.js";

const MOST_STEPS = 8; // of the axis of bytes
const UNITS = ["direction", "unit", "per"]; // parameters that apply as soon as they are chosen

const form = document.getElementById("parameters");
const axis = timeAxis("End of window");
let chart = null;
let data = null;

const rate = () => data.per === "second";
const shown = () => ({ divisor: rate() ? data.window_time : 1, rate: rate() });
const isOpen = (place) => place >= data.complete;

// Writes the bytes of a window in the chosen unit and, if that leaves digits out, in full.
function exactText(bytes) {
  const text = bytesText(bytes, data.unit, shown());
  return data.lines || rate() || bytes < 1000 || !Number.isSafeInteger(bytes) ? text : `${text} (${localText(String(bytes))} bytes)`;
}

function options() {
  return {
    interaction: { mode: "span", intersect: false },
    layout: { padding: { right: 6 } },
    scales: {
      x: axis,
      y: byteAxis(MOST_STEPS, () => ({ unit: data.unit, ...shown() }), { title: { display: true, text: "" } }),
    },
    plugins: {
      legend,
      tooltip: {
        itemSort: (a, b) => (data.lines ? byValue(a, b) : a.datasetIndex - b.datasetIndex),
        ...tooltip({
          title: ([{ dataIndex: at }]) => [
            `after ${timeText(data.labels[at] - data.window_time, LONG)}`,
            `up to ${timeText(data.labels[at], LONG)}`,
            ...(isOpen(at) ? ["not over: the bytes so far"] : []),
          ],
          label: (item) => `${item.dataset.label}: ${item.dataset.text ?? exactText(item.raw)}`,
          footer: ([{ dataIndex: at }]) => `${otherText(data.labels[at] - data.window_time)} – ${otherText(data.labels[at])}`,
        }),
      },
    },
  };
}

// A line in steps.
const steps = (label, bytes, pointStyle) => dashOpen(line(label, bytes, pointStyle, { stepped: "after", clip: 6 }), isOpen);

// The lines of several devices; of one, the two that it always has.
function manyLines() {
  return data.lines.map(({ name, direction, look, bytes }, place) => {
    const about = (text) => (data.only ? direction : `${text}, ${direction}`);
    const who = { name: `${direction} of ${name}`, label: about(shortened(name)), title: about(name), look };
    return dotOpen(oneOfMany(who, bytes, place, { stepped: "after", clip: 6 }), isOpen);
  });
}

const twoLines = () => [steps("to the server", data.bytes_ts, "circle"), steps("from the server", data.bytes_fs, "rectRot")];

function threshold() {
  const bytes = data.labels.map(() => data.threshold);
  const text = localText(document.querySelector("#passed b").dataset.english);
  return line("threshold", bytes, "line", { text, colour: "threshold", borderDash: [8, 4], pointRadius: 0, pointHoverRadius: 0 });
}

function draw() {
  const canvas = document.getElementById("chart");
  if (chart && chart.canvas !== canvas) chart = void chart.destroy();
  if (!canvas) return;
  data = JSON.parse(document.getElementById("chart-data").textContent);
  chart ??= makeChart(canvas, "line", options(), [firstSpan, zooming({ to: zoomIn, back: zoomBack, text: rangeText })]);
  canvas.setAttribute("aria-label", data.about);
  chart.data.labels = data.labels;
  const lines = data.lines ? manyLines() : twoLines();
  setLines(chart, [...lines, ...(data.threshold === null ? [] : [threshold()])]);
  chart.options.plugins.legend.display = !data.lines;
  show();
  showLegend(document.getElementById("legend"), chart, data.lines ? lines : []);
}

function show() {
  chart.options.span = data.window_time;
  axis.follow(chart, data.labels, data.window_time, { before: 1, after: 0, anywhere: true });
  chart.options.scales.y.title.text = `${isBits(data.unit) ? "Bits" : "Bytes"} per ${data.per}`;
  update(chart);
}

// Saves the chart with what the page says about it.
function picture() {
  const [from, to] = [data.labels[0] - data.window_time, data.labels.at(-1)].map((time) => timeText(time));
  const unit = [chart.options.scales.y.title.text, data.per === "window" ? ` of ${data.window_time} s` : "", isFamily(data.unit) ? "" : `, in ${data.unit}`];
  savePicture(chart, data.file, [
    document.querySelector("h1").textContent,
    `After ${from} up to and including ${to}, ${zoneName()}`,
    unit.join(""),
  ]);
}

// Shows what happened between two times, in windows that fit. The server chooses them by the same rule for its links.
function zoomIn(from, to) {
  const length = data.lengths.findLast((each) => to - from >= each * data.least) ?? data.lengths[0];
  const first = Math.floor(from / length);
  const last = Math.max(Math.ceil(to / length), first + 1);
  zoomTo({ end_time: Math.min(last * length, LAST_SECOND), window_time: length, num_windows: last - first });
}

// Shows the page in the units that are chosen. What else was typed into the form waits for its button.
function changeUnits() {
  const url = new URL(location.href); // that of the page shown, which may be older than the choice of the other unit
  for (const name of UNITS) {
    const { value } = form.elements[name];
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  visit(url.href, { push: true, keep: true });
}

// The threshold is in the unit that the chosen one is a multiple of.
function nameRate() {
  const label = form.querySelector("label[for=threshold]");
  label.textContent = `Threshold, ${isBits(form.elements.unit.value || "bytes") ? "bits" : "bytes"}/s`;
}

function suggestDevices() {
  for (const input of form.querySelectorAll("input[data-keys]:not([list])")) suggest(input, "device_id");
}

const readSeconds = (text) => (/^[0-9]{1,12}$/.test(text) ? Number(text) : NaN);

onClock(() => chart && show());
form.addEventListener("change", ({ target }) => {
  if (target.name === "unit") nameRate();
  if (UNITS.includes(target.name)) changeUnits();
});
document.addEventListener("controls", nameRate);
document.addEventListener("click", (event) => event.target.id === "picture" && picture());
// A page that the browser restores from its cache has the controls as they were edited.
window.addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
setUpPickers(form, readSeconds, String);
document.addEventListener("controls", suggestDevices);
suggestDevices();
setUpRanges(form);
setUpLookup();
onView(draw);
start();
