// The dashboard: keeps what it was shown during the last minutes, and lets each app's card draw it small.
import { figure, makeChart, update } from "./charts.js";
import { onView, start } from "./live.js";
import { Samples, curve, slide, slidingOptions } from "./samples.js";

const SPAN = 300; // seconds that the curves show

const charts = new Map(); // by the canvas' id
const cards = [];

// Calls back with the server's time and an app's sample when the page opens and after each exchange.
export function onSample(app, show) {
  cards.push([app, show]);
}

// Returns the chart on a canvas of the view, made when it is first there; none while the canvas is not.
export function chartOn(id, type, options) {
  const canvas = document.getElementById(id);
  const chart = charts.get(id);
  if (chart && chart.canvas === canvas) return chart;
  chart?.destroy();
  charts.delete(id);
  if (canvas) charts.set(id, makeChart(canvas, type, options));
  return charts.get(id);
}

// A curve of one figure of the last minutes, on a canvas.
export class Curve {
  #id;
  #label;
  #samples = new Samples(SPAN);

  constructor(id, label) {
    this.#id = id;
    this.#label = label;
  }

  // The last sample but those of this moment, which are replaced.
  before(time) {
    return this.#samples.kept.findLast((sample) => sample.time < time);
  }

  // Takes the sample of a moment, and draws it.
  add(sample, key) {
    this.#samples.add(sample);
    const chart = chartOn(this.#id, "line", slidingOptions({ writing: figure }));
    chart.data.datasets = [curve(this.#label, this.#samples.points(key), { fill: true })];
    slide(chart, this.#samples);
    update(chart);
  }
}

// Modules run before this event: every card is there then.
document.addEventListener("DOMContentLoaded", () => {
  onView(() => {
    const { time, ...samples } = JSON.parse(document.getElementById("sample").textContent);
    for (const [app, show] of cards) show(time, samples[app]);
  });
  start();
});
