// Samples of the figures of a live page: one per refresh, with the time of the server's clock.
import { legend, line, tooltip } from "./charts.js";
import { otherText, timeText } from "./time.js";

const PAUSE = 20; // seconds without a sample, as in a hidden tab, after which the curve has a gap
const TICKS = 6; // the largest number of ticks
const CALM_STEPS = 10; // into which the span is divided where the axis moves in steps
const STEPS = [10, 30, 60, 120, 300, 600]; // seconds between ticks

export class Samples {
  #interrupted = false;

  // Keeps the samples of the last `span` seconds.
  constructor(span) {
    this.span = span;
    this.kept = [];
    document.addEventListener("unreachable", () => (this.#interrupted = true));
  }

  get last() {
    return this.kept.at(-1);
  }

  // Adds a sample. It replaces one of the same time, and later ones, which exist if the clock was set back.
  add(sample) {
    const replaced = this.kept.find(({ time }) => time >= sample.time);
    this.kept = this.kept.filter(({ time }) => time >= sample.time - this.span && time < sample.time);
    const missed = this.last && (this.#interrupted || sample.time - this.last.time > PAUSE);
    this.kept.push({ ...sample, afterGap: Boolean(missed || (this.last && replaced?.afterGap)) });
    this.#interrupted = false;
  }

  // Returns the points of a curve; a point without a value makes a gap.
  points(key) {
    return this.kept.flatMap(({ time, afterGap, [key]: y }) => [...(afterGap ? [{ x: time, y: null }] : []), { x: time, y }]);
  }
}

// Makes a curve of samples. Dots mark the latest sample, and samples without neighbours, which no line reaches.
export function curve(label, data, more = {}) {
  const blank = (place) => (data[place]?.y ?? null) === null;
  const dot = ({ dataIndex: place }) => (place === data.length - 1 || (blank(place - 1) && blank(place + 1)) ? 3 : 0);
  return line(label, data, "circle", { pointRadius: dot, colour: 0, clip: 6, cubicInterpolationMode: "monotone", ...more });
}

// Returns the options of a chart whose time axis ends at the last sample.
export function slidingOptions({ writing, ...more }) {
  return {
    scales: {
      x: {
        type: "linear",
        grid: { display: false },
        afterBuildTicks: (scale) => (scale.ticks = roundTimes(scale.min, scale.max)),
        ticks: { maxRotation: 0, autoSkipPadding: 16, callback: (time) => timeText(time, { timeStyle: "short" }) },
      },
      y: { beginAtZero: true, suggestedMax: 5, grid: {}, ticks: { maxTicksLimit: 5, callback: writing } },
    },
    layout: { padding: { right: 6 } },
    plugins: {
      legend: { ...legend, display: false },
      tooltip: tooltip({
        title: ([item]) => timeText(item.parsed.x, { timeStyle: "medium" }),
        label: (item) => `${item.dataset.label}: ${writing(item.parsed.y)}`,
        footer: ([item]) => otherText(item.parsed.x),
      }),
    },
    ...more,
  };
}

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// Moves the time axis to the last sample. For those who want less motion it moves in steps, now and then, and leaves
// room for what comes until the next one.
export function slide(chart, samples) {
  const { x } = chart.options.scales;
  const step = calm.matches ? samples.span / CALM_STEPS : 0;
  x.max = step ? Math.ceil(samples.last.time / step) * step : samples.last.time;
  x.min = x.max - samples.span;
}

function roundTimes(from, to) {
  const step = STEPS.find((seconds) => (to - from) / seconds <= TICKS) ?? STEPS.at(-1);
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, i) => ({ value: first + i * step }));
}
