// The transactions page: draws what the last 60 seconds held, as it was during the last ten minutes.
import { makeChart, saveTable, setLines, update } from "../charts.js";
import { onView, start } from "../live.js";
import { Moments } from "../moments.js";
import { figure, fullText } from "../numbers.js";
import { savePicture, spanName } from "../picture.js";
import { curve, slide, slidingOptions } from "../samples.js";
import { localTimes, timeText, zoneName } from "../time.js";

const COLUMNS = ["count", "sum", "avg", "min", "max"];

const moments = new Moments(600);
const quantity = document.getElementById("quantity");
const table = document.getElementById("table");
const rows = new Map(); // rows of the table, by time
const chart = makeChart(document.getElementById("chart"), "line", slidingOptions({ writing: figure }));

const drawings = {
  count: () => [curve("transactions", moments.points("count"), { fill: true })],
  sum: () => [curve("sum", moments.points("sum"), { fill: true })],
  avg: () => [
    curve("average", moments.points("avg")),
    curve("minimum", moments.points("min"), { colour: 1, borderWidth: 1, pointStyle: "rectRot" }),
    curve("maximum", moments.points("max"), { colour: 1, borderWidth: 1, pointStyle: "triangle", fill: "-1" }),
  ],
};

function draw() {
  setLines(chart, drawings[quantity.value]());
  const { y } = chart.options.scales;
  y.beginAtZero = quantity.value !== "avg";
  y.suggestedMax = quantity.value === "count" ? 5 : undefined;
  chart.options.plugins.legend.display = chart.data.datasets.length > 1;
  slide(chart, moments);
  update(chart);
}

// Changes single rows, so that those being read stay in place.
function tabulate() {
  if (!table.open) return;
  const body = table.querySelector("tbody");
  if (!rows.size) body.replaceChildren(); // what the server wrote is of when the page was opened
  const known = new Map(moments.known);
  for (const [time, row] of rows) {
    if (known.has(time)) continue;
    row.remove();
    rows.delete(time);
  }
  let place = 0;
  for (const [time, values] of known) {
    const row = rows.get(time) ?? addRow(body, place, time);
    COLUMNS.forEach((name, column) => write(row.cells[column + 1], values[name] === null ? "–" : fullText(values[name])));
    place += 1;
  }
}

function addRow(body, place, seconds) {
  const row = body.insertRow(place);
  const time = document.createElement("time");
  time.dateTime = new Date(seconds * 1000).toISOString();
  row.insertCell().append(time);
  for (const _ of COLUMNS) row.insertCell();
  localTimes(row);
  rows.set(seconds, row);
  return row;
}

function write(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function download() {
  const lines = moments.known.map(([time, values]) => [new Date(time * 1000).toISOString(), ...COLUMNS.map((name) => values[name])]);
  saveTable([["timestamp", ...COLUMNS], ...lines], spanName("transactions", ...ends()));
}

const ends = () => [moments.kept[0][0], moments.last.time];

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
  moments.take(JSON.parse(document.getElementById("moments").textContent));
  draw();
  tabulate();
});
start();
