// The samples that a live page takes of its figures: one each time it asks, timed by the server's clock.
import { legend, line, timeText, tooltip, utcText } from "./charts.js";

const PAUSE = 20; // seconds without a sample, as in a hidden tab, that show as a gap
const TICKS = 6; // at most
const STEPS = [10, 30, 60, 120, 300, 600]; // seconds between ticks

export class Samples {
  #interrupted = false;

  // Keeps the samples of so many seconds.
  constructor(span) {
    this.span = span;
    this.kept = [];
    document.addEventListener("unreachable", () => (this.#interrupted = true));
  }

  get last() {
    return this.kept.at(-1);
  }

  // Takes the sample of a moment. One of the same moment is replaced; so are later ones, for the clock was set back.
  add(sample) {
    const replaced = this.kept.find(({ time }) => time >= sample.time);
    this.kept = this.kept.filter(({ time }) => time >= sample.time - this.span && time < sample.time);
    const missed = this.last && (this.#interrupted || sample.time - this.last.time > PAUSE);
    this.kept.push({ ...sample, afterGap: Boolean(missed || (this.last && replaced?.afterGap)) });
    this.#interrupted = false;
  }

  // The points of a curve; one without a value makes the gap.
  points(key) {
    return this.kept.flatMap(({ time, afterGap, [key]: y }) => [...(afterGap ? [{ x: time, y: null }] : []), { x: time, y }]);
  }
}

// A curve of samples: a dot marks the present, and a sample that no line reaches.
export function curve(label, data, more = {}) {
  const blank = (place) => (data[place]?.y ?? null) === null;
  const dot = ({ dataIndex: place }) => (place === data.length - 1 || (blank(place - 1) && blank(place + 1)) ? 3 : 0);
  return line(label, data, "circle", { pointRadius: dot, colour: 0, clip: 6, cubicInterpolationMode: "monotone", ...more });
}

// The options of a chart whose time ends at the last sample.
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
        footer: ([item]) => utcText(item.parsed.x),
      }),
    },
    ...more,
  };
}

// Moves the time that is shown to the samples' end.
export function slide(chart, samples) {
  const { x } = chart.options.scales;
  x.max = samples.last.time;
  x.min = x.max - samples.span;
}

function roundTimes(from, to) {
  const step = STEPS.find((seconds) => (to - from) / seconds <= TICKS) ?? STEPS.at(-1);
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, i) => ({ value: first + i * step }));
}
