// The bandwidth page: keeps the form in step with the address bar, and draws the chart.
"use strict";

const LAST_DATE = 8.64e12; // epoch seconds of the last, and negated the first, date that JavaScript knows
const DAY = 86400;
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 7 * 1440];
const ROUND = [1, 2, 5, 10, 15, 30, ...MINUTES.map((minutes) => minutes * 60)]; // seconds
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

function setUpForm() {
  const form = document.getElementById("parameters");
  // Empty controls mean the default: they are left out of the address.
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value === "") formData.delete(name);
    }
  });
  // A page that the browser kept comes back with the controls as edited since.
  window.addEventListener("pageshow", ({ persisted }) => persisted && form.reset());
  setUpPicker(form.elements.end_time);
}

// The local time beside the epoch seconds; it is no parameter of its own.
function setUpPicker(endTime) {
  const picker = document.getElementById("end_local");
  const follow = () => {
    const seconds = /^[0-9]{1,12}$/.test(endTime.value) ? Number(endTime.value) : NaN;
    const date = new Date(seconds * 1000);
    const shift = date.getTimezoneOffset() * 60000;
    picker.value = seconds >= DAY && date.getFullYear() < 9999 ? new Date(date - shift).toISOString().slice(0, 19) : "";
  };
  picker.addEventListener("change", () => {
    const seconds = Math.floor(new Date(picker.value).getTime() / 1000);
    endTime.value = seconds >= 0 ? seconds : "";
  });
  endTime.addEventListener("input", follow);
  follow();
  document.getElementById("picker").hidden = false;
}

function bytesText(number) {
  const power = Math.min(Math.floor(Math.log10(Math.max(number, 1)) / 3 + 1e-9), UNITS.length - 1);
  const value = number / 1000 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[power]}`;
}

function exactText(number) {
  const text = bytesText(number);
  return number < 1000 || !Number.isSafeInteger(number) ? text : `${text} (${number.toLocaleString()} bytes)`;
}

// Writes epoch seconds in the viewer's zone or, where there is no such date, as they are.
function timeText(seconds, style) {
  if (Math.abs(seconds) > LAST_DATE) return `${seconds} s`;
  return new Intl.DateTimeFormat(undefined, style).format(seconds * 1000);
}

// The windows that end at round times of the viewer's day, a dozen at most; all if there are none.
function roundPlaces({ labels }) {
  const shift = Math.abs(labels[0]) > LAST_DATE ? 0 : new Date(labels[0] * 1000).getTimezoneOffset() * 60;
  const every = labels.map((_, place) => place);
  for (const step of ROUND) {
    const places = every.filter((place) => (labels[place] - shift) % step === 0);
    if (places.length <= 12) return places.length > 1 ? places : every;
  }
  return every;
}

function tickStyle({ labels, window_time: length }, places) {
  const span = length * labels.length;
  if (span > 1000 * DAY) return { dateStyle: "medium" };
  if (span > DAY) return { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return { timeStyle: places.every((place) => labels[place] % 60 === 0) ? "short" : "medium" };
}

function axisTitle({ labels }) {
  const [first, last] = [labels[0], labels[labels.length - 1]];
  if (Math.max(Math.abs(first), Math.abs(last)) > LAST_DATE) return ["End of window", "seconds since 1970"];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const days = [...new Set([first, last].map((time) => timeText(time, { dateStyle: "medium" })))];
  return ["End of window", `${days.join(" – ")}, ${zone}`];
}

function options(data) {
  const places = roundPlaces(data);
  const ticks = tickStyle(data, places);
  const exact = { dateStyle: "medium", timeStyle: "long" };
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    scales: {
      // Windows are equally long, so places in order are places in time, whatever the date.
      x: {
        offset: data.labels.length === 1,
        grid: {},
        title: { display: true, text: axisTitle(data) },
        afterBuildTicks: (axis) => {
          axis.ticks = places.map((value) => ({ value }));
        },
        ticks: {
          maxRotation: 0,
          autoSkipPadding: 16,
          callback: (index) => timeText(data.labels[index], ticks),
        },
      },
      y: {
        beginAtZero: true,
        suggestedMax: 10,
        grid: {},
        title: { display: true, text: "Bytes per window" },
        ticks: { precision: 0, callback: bytesText },
      },
    },
    plugins: {
      legend: { labels: { usePointStyle: true, boxWidth: 8, boxHeight: 8 } },
      tooltip: {
        usePointStyle: true,
        boxPadding: 4,
        borderWidth: 1,
        callbacks: {
          title: ([item]) => {
            const end = data.labels[item.dataIndex];
            return [`after ${timeText(end - data.window_time, exact)}`, `up to ${timeText(end, exact)}`];
          },
          label: (item) => `${item.dataset.label}: ${exactText(item.raw)}`,
        },
      },
    },
  };
}

function dataset(label, data, pointStyle) {
  const radius = data.length > 60 ? 0 : 3;
  return { label, data, pointStyle, pointRadius: radius, pointHoverRadius: 5, borderWidth: 2 };
}

// Takes the colours from the style sheet, which knows light and dark.
function paint({ data, options }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  data.datasets.forEach((line, i) => {
    line.borderColor = line.backgroundColor = colour(`line-${i}`);
    line.pointBorderColor = line.pointBackgroundColor = colour(`line-${i}`);
  });
  for (const scale of Object.values(options.scales)) {
    scale.grid.color = colour("rule");
    scale.ticks.color = scale.title.color = colour("muted");
  }
  const { legend, tooltip } = options.plugins;
  legend.labels.color = tooltip.titleColor = tooltip.bodyColor = colour("text");
  tooltip.backgroundColor = colour("panel");
  tooltip.borderColor = colour("muted");
}

function draw(data) {
  const config = {
    type: "line",
    data: {
      labels: data.labels,
      datasets: [
        dataset("to the server", data.bytes_ts, "circle"),
        dataset("from the server", data.bytes_fs, "rectRot"),
      ],
    },
    options: options(data),
  };
  paint(config);
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const chart = new Chart(document.getElementById("chart"), config);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    paint(chart);
    chart.update();
  });
}

setUpForm();
const data = document.getElementById("chart-data");
if (data) draw(JSON.parse(data.textContent));
