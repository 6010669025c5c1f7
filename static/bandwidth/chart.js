// The bandwidth page: draws the windows in the chosen unit, and keeps the form's two fields for the end in step.
import { BYTE_UNITS, byteUnit, legend, line, makeChart, savePicture, timeAxis, timeText, tooltip, update, utcText } from "../charts.js";
import { onView, start, suggest } from "../live.js";
import { setUpPicker } from "../picker.js";

const form = document.getElementById("parameters");
const axis = timeAxis("End of window");
let chart = null;
let data = null;

// Writes bytes in the chosen unit, or in the one that leaves at most three digits before the decimal point.
function bytesText(number, digits = 1) {
  const chosen = BYTE_UNITS.indexOf(unit().value);
  const power = chosen < 0 ? byteUnit(number) : chosen;
  const value = number / 1000 ** power;
  const text = Number.isInteger(value) ? value.toLocaleString() : value.toLocaleString(undefined, { maximumFractionDigits: chosen < 0 ? digits : 6 });
  return `${text} ${BYTE_UNITS[power]}${rate() ? "/s" : ""}`;
}

function exactText(number) {
  const text = bytesText(scaled(number));
  return rate() || number < 1000 || !Number.isSafeInteger(number) ? text : `${text} (${number.toLocaleString()} bytes)`;
}

const unit = () => document.getElementById("unit");
const rate = () => document.getElementById("per").value === "second";
const scaled = (number) => (rate() ? number / data.window_time : number);

function options() {
  return {
    scales: {
      x: axis,
      y: {
        beginAtZero: true,
        suggestedMax: 10,
        grid: {},
        title: { display: true, text: "" },
        ticks: { precision: 0, callback: (number) => bytesText(scaled(number)) },
      },
    },
    plugins: {
      legend,
      tooltip: tooltip({
        title: ([item]) => {
          const end = data.labels[item.dataIndex];
          return [`after ${timeText(end - data.window_time)}`, `up to ${timeText(end)}`];
        },
        label: (item) => `${item.dataset.label}: ${exactText(item.raw)}`,
        footer: ([item]) => {
          const end = data.labels[item.dataIndex];
          return `${utcText(end - data.window_time)} – ${utcText(end)}`;
        },
      }),
    },
  };
}

function draw() {
  const canvas = document.getElementById("chart");
  if (chart && chart.canvas !== canvas) chart = void chart.destroy();
  if (!canvas) return;
  data = JSON.parse(document.getElementById("chart-data").textContent);
  chart ??= makeChart(canvas, "line", options());
  canvas.setAttribute("aria-label", canvas.dataset.label.replace("%", () => data.device));
  chart.data.labels = data.labels;
  const lines = [
    ["to the server", data.bytes_ts, "circle"],
    ["from the server", data.bytes_fs, "rectRot"],
  ];
  lines.forEach(([label, bytes, style], i) => {
    chart.data.datasets[i] = Object.assign(chart.data.datasets[i] ?? {}, line(label, bytes, style));
  });
  show();
}

// Updates what depends on the unit: axis, hover and figures. The lines do not change.
function show() {
  axis.follow(chart, data.labels, data.window_time);
  chart.options.scales.y.title.text = rate() ? "Bytes per second" : "Bytes per window";
  for (const cell of document.querySelectorAll("[data-bytes]")) {
    const bytes = Number(cell.dataset.bytes);
    const seconds = cell.dataset.windows * data.window_time;
    const text = bytesText(rate() ? bytes / seconds : bytes);
    if (cell.textContent !== text) cell.textContent = text; // one that is selected stays so
  }
  update(chart);
}

const readSeconds = (text) => (/^[0-9]{1,12}$/.test(text) ? Number(text) : NaN);

document.addEventListener("change", (event) => event.target.closest("#units") && chart && show());
document.addEventListener("click", (event) => event.target.id === "picture" && savePicture(chart, "bandwidth"));
// A page that the browser restores from its cache has the controls as they were edited.
window.addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
setUpPicker(form.elements.end_time, document.getElementById("picker"), readSeconds, String);
suggest(form.elements.device_uuid, "device_id");
onView(draw);
start();
