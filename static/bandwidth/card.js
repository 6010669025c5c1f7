// The dashboard's card of bandwidth: the bytes of the busiest devices, as bars.
import { line, setLines, tooltip, update } from "../charts.js";
import { chartOn, onSample } from "../dashboard.js";
import { byteAxis, bytesText } from "../units.js";

const NAME = 14; // the largest number of characters of a device's name beside its bar
const MOST_STEPS = 4; // of the axis of bytes

const short = (name) => ([...name].length > NAME ? `${[...name].slice(0, NAME - 1).join("")}…` : name);

function drawBars(busiest) {
  const names = busiest.map(([device]) => device);
  const chart = chartOn("bandwidth-chart", "bar", {
    indexAxis: "y",
    interaction: { mode: "index", axis: "y", intersect: false },
    scales: {
      x: byteAxis(MOST_STEPS, () => ({ unit: "bytes" }), { stacked: true, ticks: { maxRotation: 0 } }),
      y: { stacked: true, grid: { display: false }, ticks: { callback: (place) => short(chartOn("bandwidth-chart").data.labels[place]) } },
    },
    plugins: { legend: { display: false }, tooltip: tooltip({ title: ([item]) => short(item.label), label: (item) => `${item.dataset.label}: ${bytesText(item.raw)}` }) },
  });
  if (!chart) return;
  chart.data.labels = names;
  const bars = { type: "bar", borderWidth: 1, barPercentage: 0.7 };
  setLines(chart, ["to the server", "from the server"].map((label, i) => line(label, busiest.map((device) => device[i + 1]), "rect", bars)));
  update(chart);
}

onSample("bandwidth", (time, { busiest }) => drawBars(busiest));
