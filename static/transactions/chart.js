// The transactions page: takes a sample of the last 60 seconds with each refresh, and draws those of ten minutes.
import { makeChart, saveTable, setLines, update } from "../charts.js";
import { onView, start } from "../live.js";
import { figure, fullText } from "../numbers.js";
import { savePicture, spanName } from "../picture.js";
import { Samples, curve, slide, slidingOptions } from "../samples.js";
import { localTimes, timeText, zoneName } from "../time.js";

const COLUMNS = ["count", "sum", "avg", "min", "max"];

const samples = new Samples(600);
const quantity = document.getElementById("quantity");
const table = document.getElementById("table");
const rows = new Map(); // rows of the table, by sample
const chart = makeChart(document.getElementById("chart"), "line", slidingOptions({ writing: figure }));

const drawings = {
  count: () => [curve("transactions", samples.points("count"), { fill: true })],
  sum: () => [curve("sum", samples.points("sum"), { fill: true })],
  avg: () => [
    curve("average", samples.points("avg")),
    curve("minimum", samples.points("min"), { colour: 1, borderWidth: 1, pointStyle: "rectRot" }),
    curve("maximum", samples.points("max"), { colour: 1, borderWidth: 1, pointStyle: "triangle", fill: "-1" }),
  ],
};

function draw() {
  setLines(chart, drawings[quantity.value]());
  const { y } = chart.options.scales;
  y.beginAtZero = quantity.value !== "avg";
  y.suggestedMax = quantity.value === "count" ? 5 : undefined;
  chart.options.plugins.legend.display = chart.data.datasets.length > 1;
  slide(chart, samples);
  update(chart);
}

// Adds and removes single rows, so that the rows being read stay in place.
function tabulate() {
  if (!table.open) return;
  const body = table.querySelector("tbody");
  for (const [sample, row] of rows) {
    if (samples.kept.includes(sample)) continue;
    row.remove();
    rows.delete(sample);
  }
  for (const sample of samples.kept) {
    if (rows.has(sample)) continue;
    const row = body.insertRow();
    const time = document.createElement("time");
    time.dateTime = new Date(Math.floor(sample.time) * 1000).toISOString();
    row.insertCell().append(time);
    for (const name of COLUMNS) row.insertCell().textContent = sample[name] === null ? "–" : fullText(sample[name]);
    localTimes(row);
    rows.set(sample, row);
  }
}

function download() {
  const lines = samples.kept.map((sample) => [new Date(sample.time * 1000).toISOString(), ...COLUMNS.map((name) => sample[name])]);
  saveTable([["timestamp", ...COLUMNS], ...lines], spanName("transactions", ...ends()));
}

const ends = () => [samples.kept[0].time, samples.kept.at(-1).time];

// Saves the chart with the range and the quantity that it shows.
function picture() {
  const [from, to] = ends().map((time) => timeText(time));
  const { text } = quantity.selectedOptions[0];
  savePicture(chart, spanName("transactions", ...ends(), quantity.value), [document.querySelector("h1").textContent, `${from} to ${to}, ${zoneName()}`, text]);
}

quantity.addEventListener("change", draw);
table.addEventListener("toggle", tabulate);
document.getElementById("rows").addEventListener("click", download);
document.getElementById("picture").addEventListener("click", picture);
onView(() => {
  samples.add(JSON.parse(document.getElementById("sample").textContent));
  draw();
  tabulate();
});
start();
