// Many lines in one chart, told apart by colours, dashes and the shapes of their points, and a legend of buttons that
// hide them. The server chooses the look of each line: a number from 0 to 7, and the name of its dashes.
import { line as makeLine, style } from "./charts.js";

const MOST_CHARACTERS = 24; // of a name beside others
const MARKS = 8; // points of a line that are marked at least where there are too many to mark each
const SHAPES = ["circle", "rect", "triangle", "rectRot", "triangle", "crossRot", "cross", "star"];
const UPSIDE_DOWN = 4;
const DASHES = { solid: [], dashed: [7, 4], long: [14, 4], dotted: [10, 3, 2, 3] };
const SO_FAR = [2, 4]; // the dashes of a span that is not over, where whole lines are dashed too
const FEW = 60; // points up to which each is marked

// Returns a name with its middle left out if it is long.
export function shortened(name, most = MOST_CHARACTERS) {
  const letters = [...name];
  if (letters.length <= most) return name;
  const first = Math.floor(most / 2);
  return `${letters.slice(0, first).join("")}…${letters.slice(first + 1 - most).join("")}`;
}

// Makes one of many lines. `name` tells it from the others; its label is short, its title is not.
export function oneOfMany({ name, label, title, look: [number, dash] }, data, place, more = {}) {
  return {
    ...makeLine(label, data, SHAPES[number]),
    name,
    title,
    look: [number, dash],
    colour: number,
    rotation: number === UPSIDE_DOWN ? 180 : 0,
    pointBorderWidth: number > UPSIDE_DOWN ? 1.5 : 1,
    pointRadius: marks(data, place, number > UPSIDE_DOWN ? 5 : 3.5), // crosses need room to be seen as such
    borderDash: DASHES[dash],
    ...more,
  };
}

// Among many points some of each line are marked, of no two lines at the same places: colour alone tells nothing.
function marks(data, place, radius) {
  const step = data.length <= FEW ? 1 : Math.ceil(data.length / MARKS);
  const shift = Math.floor((place * step) / 16) % step;
  const isAlone = (at) => (data[at - 1] ?? null) === null && (data[at + 1] ?? null) === null;
  return data.map((value, at) => (value !== null && (at % step === shift || isAlone(at)) ? radius : 0));
}

// Marks the values that are not final: they are dotted, and their points hollow.
export function dotOpen(line, isOpen) {
  line.hollow = isOpen;
  line.segment = { borderDash: ({ p1DataIndex }) => (isOpen(p1DataIndex) ? SO_FAR : undefined) };
  return line;
}

// The largest value first.
export const byValue = (a, b) => b.raw - a.raw;

// Shows a button for each line, which hides it and shows it again; without lines, no legend.
export function showLegend(list, chart, lines) {
  list.hidden = lines.length === 0;
  const known = new Map([...list.children].map((item) => [item.dataset.name, item]));
  const items = lines.map((line) => known.get(line.name) ?? itemOf(line, chart));
  for (const item of [...list.children]) if (!items.includes(item)) item.remove();
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
    const [button] = item.children;
    const { label, title, look } = lines[place];
    if (button.dataset.look !== String(look)) {
      button.dataset.look = String(look);
      button.replaceChildren(swatchOf(look), Object.assign(document.createElement("bdi"), { textContent: label }));
      button.title = title;
    }
    button.setAttribute("aria-pressed", String(isShown(chart, lines[place].name)));
  });
}

const placeOf = (chart, name) => chart.data.datasets.findIndex((line) => line.name === name);
const isShown = (chart, name) => chart.isDatasetVisible(placeOf(chart, name));

function itemOf({ name }, chart) {
  const item = document.createElement("li");
  item.dataset.name = name;
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.addEventListener("click", () => {
    const shown = !isShown(chart, name);
    chart.setDatasetVisibility(placeOf(chart, name), shown);
    chart.update();
    button.setAttribute("aria-pressed", String(shown));
  });
  item.append(button);
  return item;
}

// A swatch as the server draws it for the same look, of which the tables have one.
function swatchOf(look) {
  const [number, dash] = look;
  return document.querySelector(`#view svg.line-${number}.${dash}`).cloneNode(true);
}

// Draws a swatch of a line on a canvas, from a place to the right.
export function drawSwatch(context, line, x, y) {
  context.save();
  [context.strokeStyle, context.fillStyle, context.lineWidth] = [style(`line-${line.colour}`), style(`line-${line.colour}`), 2];
  context.setLineDash(line.borderDash);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + 32, y);
  context.stroke();
  context.setLineDash([]);
  Chart.helpers.drawPoint(context, { pointStyle: line.pointStyle, rotation: line.rotation, radius: 4, borderWidth: 2 }, x + 16, y);
  context.restore();
}
