// Charts by keyboard: a chart takes the focus, arrow keys move through its points and between its lines, and the point
// is shown as the pointer would show it and spoken in the words of its tooltip.
//
// The place is remembered as a line and what it stands for, a time or a name, and not as a number: a chart that is
// brought up to date moves its points, and the reader stays at theirs. Charts without hovers (`events: []`) take no focus.

const HINT = "Left and right arrow keys move through the points, up and down arrow keys between the lines.";
const ALONG_X = { ArrowLeft: -1, ArrowRight: 1 };
const ALONG_Y = { ArrowUp: -1, ArrowDown: 1 };

const reached = new WeakMap(); // by chart: its `line`, the `key` of the point, and whether it is `shown`

// Lets the keyboard reach a chart. Its box is what takes the focus: a canvas is an image, and has no keys.
export function setUpPoints(chart) {
  const { canvas } = chart;
  const box = canvas.parentElement;
  if (!chart.options.events?.length || box.tabIndex === 0) return;
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", "chart");
  box.setAttribute("aria-labelledby", canvas.id);
  box.addEventListener("focus", () => {
    box.setAttribute("aria-describedby", unseen("points-hint", HINT).id);
    unseen("points-spoken").setAttribute("role", "status");
  });
  box.addEventListener("blur", () => leave(Chart.getChart(canvas)));
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (press(Chart.getChart(canvas), event.key)) event.preventDefault();
  });
}

// Keeps the place when a chart has new data.
export const keepPoint = {
  id: "keep-point",
  afterUpdate(chart) {
    if (reached.get(chart)?.shown) show(chart);
  },
};

// Handles a key; returns whether it means something to charts.
function press(chart, key) {
  const sideways = chart.options.indexAxis === "y";
  const [along, across] = sideways ? [ALONG_Y, ALONG_X] : [ALONG_X, ALONG_Y];
  if (key === "Escape") return forget(chart);
  if (key in across) return go(chart, { lines: across[key] });
  if (key in along) return go(chart, { points: along[key] });
  if (key === "PageUp" || key === "PageDown") return go(chart, { tenths: key === "PageUp" ? -1 : 1 });
  if (key === "Home" || key === "End") return go(chart, { to: key === "Home" ? 0 : -1 });
  return false;
}

const linesOf = (chart) =>
  chart.data.datasets.filter((line, i) => chart.isDatasetVisible(i) && line.data.some((value) => value !== undefined));

const nameOf = ({ name, label }) => name ?? label;

const keyAt = (chart, line, at) => line.data[at]?.x ?? chart.data.labels[at] ?? at;

// Returns the places of a line's points. Of several at one time, as beside a gap, the last one counts.
const placesOf = (chart, line) =>
  [...line.data.keys()].filter((at, i, all) => i === all.length - 1 || keyAt(chart, line, at) !== keyAt(chart, line, at + 1));

// Returns which of a line's places is at a key or, if none is, nearest to it.
function find(chart, line, key) {
  const keys = placesOf(chart, line).map((at) => keyAt(chart, line, at));
  const same = keys.indexOf(key);
  if (same >= 0 || typeof key !== "number") return Math.max(same, 0);
  const distances = keys.map((each) => Math.abs(each - key));
  return distances.indexOf(Math.min(...distances));
}

const clamp = (number, most) => Math.min(Math.max(number, 0), most);

// Moves by lines, points or tenths of the points, or to a point counted from either end; then shows and speaks it.
function go(chart, { lines = 0, points = 0, tenths = 0, to }) {
  const all = linesOf(chart);
  if (!all.length) return true;
  const before = reached.get(chart);
  const begin = all.indexOf(before?.line);
  const line = all[clamp(Math.max(begin, 0) + (before ? lines : 0), all.length - 1)];
  const places = placesOf(chart, line);
  const last = places.length - 1;
  const by = points + tenths * Math.max(Math.round(places.length / 10), 1);
  let place = to === undefined ? (by < 0 ? last : 0) : clamp(to < 0 ? last : to, last);
  if (before && to === undefined) place = clamp(find(chart, line, before.key) + by, last);
  reached.set(chart, { line, key: keyAt(chart, line, places[place]), shown: true });
  show(chart);
  chart.draw();
  unseen("points-spoken").textContent = words(chart.tooltip);
  return true;
}

// Highlights the point that was reached, and opens its tooltip.
function show(chart) {
  const point = reached.get(chart);
  const all = linesOf(chart);
  point.line = all.find((line) => line === point.line) ?? all.find((line) => nameOf(line) === nameOf(point.line)) ?? all[0];
  if (!point.line) return forget(chart);
  const place = placesOf(chart, point.line)[find(chart, point.line, point.key)];
  point.key = keyAt(chart, point.line, place);
  activate(chart, [{ datasetIndex: chart.data.datasets.indexOf(point.line), index: place }]);
  return true;
}

function activate(chart, active) {
  chart.setActiveElements(active);
  chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
}

// Takes the highlight away when the focus goes; the next key goes on from there.
function leave(chart) {
  const point = chart && reached.get(chart);
  if (!point?.shown) return;
  point.shown = false;
  activate(chart, []);
  chart.draw();
}

// Leaves the points.
function forget(chart) {
  leave(chart);
  return reached.delete(chart);
}

// What a tooltip says, but for the same time in another zone below it.
function words({ title, beforeBody, body, afterBody }) {
  const lines = body.flatMap(({ before, lines, after }) => [...before, ...lines, ...after]);
  return [...title, ...beforeBody, ...lines, ...afterBody].filter(Boolean).join(", ");
}

// Returns a text of the page that is heard and not seen.
function unseen(id, text = "") {
  const found = document.getElementById(id);
  if (found) return found;
  const made = document.createElement("p");
  [made.id, made.className, made.textContent] = [id, "unseen", text];
  document.querySelector("main").append(made);
  return made;
}
