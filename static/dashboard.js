// The dashboard: keeps what it was shown during the last minutes, and draws it small.
import { BYTE_UNITS, byteUnit, figure, line, makeChart, tooltip, update } from "./charts.js";
import { onView, start } from "./live.js";
import { Samples, curve, slide, slidingOptions } from "./samples.js";

const NAME = 14; // characters of a device's name beside its bar

const samples = new Samples(300);
const charts = new Map(); // by the canvas' id

function bytesText(bytes) {
  const unit = byteUnit(bytes);
  return `${figure(bytes / 1000 ** unit)} ${BYTE_UNITS[unit]}`;
}

// Returns the chart on a canvas of the view, made when it is first there; none while the canvas is not.
function chartOn(id, type, options) {
  const canvas = document.getElementById(id);
  const chart = charts.get(id);
  if (chart && chart.canvas === canvas) return chart;
  chart?.destroy();
  charts.delete(id);
  if (canvas) charts.set(id, makeChart(canvas, type, options));
  return charts.get(id);
}

function drawSamples(id, label, key) {
  const chart = chartOn(id, "line", slidingOptions({ writing: figure }));
  chart.data.datasets = [curve(label, samples.points(key), { fill: true })];
  slide(chart, samples);
  update(chart);
}

const short = (name) => ([...name].length > NAME ? `${[...name].slice(0, NAME - 1).join("")}…` : name);

function drawBars(busiest) {
  const names = busiest.map(([device]) => device);
  const chart = chartOn("bandwidth-chart", "bar", {
    indexAxis: "y",
    interaction: { mode: "index", axis: "y", intersect: false },
    scales: {
      x: { stacked: true, grid: {}, ticks: { maxTicksLimit: 5, maxRotation: 0, callback: bytesText } },
      y: { stacked: true, grid: { display: false }, ticks: { callback: (place) => short(chartOn("bandwidth-chart").data.labels[place]) } },
    },
    plugins: { legend: { display: false }, tooltip: tooltip({ title: ([item]) => short(item.label), label: (item) => `${item.dataset.label}: ${bytesText(item.raw)}` }) },
  });
  if (!chart) return;
  chart.data.labels = names;
  chart.data.datasets = ["to the server", "from the server"].map((label, i) =>
    line(label, busiest.map((device) => device[i + 1]), "rect", { type: "bar", borderWidth: 1, barPercentage: 0.7 }),
  );
  update(chart);
}

// What was added since the sample before, per second. A restart begins to count anew, so that less means unknown.
function rateOf(time, added) {
  const before = samples.kept.findLast((sample) => sample.time < time);
  return before && added >= before.added ? (added - before.added) / (time - before.time) : null;
}

// Three digits, for the next ones change with each look.
const rateText = (rate) => (rate === null ? "–" : figure(rate < 100 ? Number(rate.toPrecision(3)) : Math.round(rate)));

onView(() => {
  const { time, count, added, busiest } = JSON.parse(document.getElementById("sample").textContent);
  const rate = rateOf(time, added);
  samples.add({ time, count, added, rate });
  document.getElementById("rate").textContent = rateText(rate);
  drawSamples("transactions-chart", "transactions", "count");
  drawSamples("datapoints-chart", "points per second", "rate");
  drawBars(busiest);
});
start();
