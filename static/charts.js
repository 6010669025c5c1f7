// The common parts of all charts: colours from the style sheet, and tables to download.
// Chart.js is loaded before, as a classic script.
import { onPaper } from "./paper.js";
import { keepPoint, setUpPoints } from "./points.js";
import { onClock } from "./time.js";

const PAPER = { width: 680, devicePixelRatio: 3 }; // of charts on paper: that of A4 between margins, and fine dots

const charts = new Set();

export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Makes a chart with the given options in addition to the common ones. Its lines take their colours in order.
export function makeChart(canvas, type, options, plugins = []) {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const chart = new Chart(canvas, {
    type,
    plugins: [...plugins, keepPoint],
    data: { labels: [], datasets: [] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      ...options,
    },
  });
  charts.add(chart);
  setUpPoints(chart);
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
    line.borderColor = line.pointBorderColor = colour;
    line.pointBackgroundColor = line.hollow ? ({ dataIndex }) => (line.hollow(dataIndex) ? style("page") : colour) : colour;
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

function repaint() {
  charts.forEach((chart) => (chart.canvas ? update(chart) : charts.delete(chart))); // a destroyed one has no canvas
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
onClock(repaint);
onPaper((on) => {
  repaint();
  charts.forEach((chart) => fit(chart, on));
});

// Gives a chart the size that it has on paper, or that of its box on the screen.
function fit(chart, toPaper) {
  chart.options.devicePixelRatio = toPaper ? PAPER.devicePixelRatio : undefined;
  if (toPaper) chart.resize(PAPER.width, chart.canvas.parentElement.clientHeight);
  else chart.resize();
}

export const legend = { labels: { usePointStyle: true, boxWidth: 8, boxHeight: 8 } };

export function tooltip(callbacks) {
  return { usePointStyle: true, boxPadding: 4, borderWidth: 1, callbacks };
}

// Makes a line. Its points are marked if they are few enough to tell apart.
export function line(label, data, pointStyle, more = {}) {
  return { label, data, pointStyle, pointRadius: data.length > 60 ? 0 : 3, pointHoverRadius: 5, borderWidth: 2, ...more };
}

const nameOf = (line) => line.name ?? line.label;

// Gives a chart its lines. One that it has already, by its name or label, stays the same object with new data, so that a line
// that is hidden stays hidden.
export function setLines(chart, lines) {
  const known = new Map(chart.data.datasets.map((each) => [nameOf(each), each]));
  chart.data.datasets = lines.map((each) => Object.assign(known.get(nameOf(each)) ?? {}, each));
}

export const OPEN = [4, 4]; // the dashes of a span that is not over

// Marks values of a line that are not final, or lead to none: the line to each is dashed, and its point is hollow.
export function dashOpen(line, isOpen) {
  line.hollow = isOpen;
  line.segment = { borderDash: ({ p1DataIndex }) => (isOpen(p1DataIndex) ? OPEN : undefined) };
  return line;
}

// Saves rows as CSV; the first row names the columns.
export function saveTable(rows, name) {
  const text = rows.map((row) => row.map((cell) => cell ?? "").join(",")).join("\r\n");
  save(`data:text/csv;charset=utf-8,${encodeURIComponent(`${text}\r\n`)}`, `${name}.csv`);
}

export function save(url, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
}
