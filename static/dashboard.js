// The dashboard: keeps the samples of the last minutes, and lets the card of each app draw them.
import { makeChart, setLines, update } from "./charts.js";
import { onView, start } from "./live.js";
import { figure } from "./numbers.js";
import { Samples, curve, slide, slidingOptions } from "./samples.js";

export const SPAN = 300; // seconds that the curves show

const charts = new Map(); // by the canvas' id
const cards = [];

// Calls `show` with the server's time and the sample of an app when the page opens and after each refresh.
export function onSample(app, show) {
  cards.push([app, show]);
}

// Returns the chart on a canvas of the view, and makes it when the canvas is new; undefined while there is no canvas.
export function chartOn(id, type, options) {
  const canvas = document.getElementById(id);
  const chart = charts.get(id);
  if (chart && chart.canvas === canvas) return chart;
  chart?.destroy();
  charts.delete(id);
  if (canvas) charts.set(id, makeChart(canvas, type, options));
  return charts.get(id);
}

// A curve of one figure over the last minutes, on a canvas.
export class Curve {
  #id;
  #label;
  #samples = new Samples(SPAN);

  constructor(id, label) {
    this.#id = id;
    this.#label = label;
  }

  // Returns the last sample before `time`.
  before(time) {
    return this.#samples.kept.findLast((sample) => sample.time < time);
  }

  // Adds a sample and draws the curve.
  add(sample, key) {
    this.#samples.add(sample);
    drawCurve(this.#id, this.#label, this.#samples, key);
  }
}

// Draws one figure of some samples on a canvas.
export function drawCurve(id, label, samples, key) {
  const chart = chartOn(id, "line", slidingOptions({ writing: figure }));
  setLines(chart, [curve(label, samples.points(key), { fill: true })]);
  slide(chart, samples);
  update(chart);
}

// All modules have run before this event, so every card has registered.
document.addEventListener("DOMContentLoaded", () => {
  onView(() => {
    const { time, ...samples } = JSON.parse(document.getElementById("sample").textContent);
    for (const [app, show] of cards) show(time, samples[app]);
  });
  start();
});
