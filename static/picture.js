// Pictures of charts to download. A picture says by itself what it shows: above the chart stand a heading, a line about
// range and unit, and the names of lines that are named beside the canvas on the page.
import { save, style } from "./charts.js";
import { drawSwatch } from "./lines.js";

const MARGIN = 16;
const HEADING = { size: 18, weight: 600, colour: "text" };
const TEXT = { size: 13, weight: 400, colour: "muted" };
const NAME = { size: 12, weight: 400, colour: "text" };
const SWATCH = 40; // the width of a swatch and the room after it
const BETWEEN = 20; // names
const leading = ({ size }) => Math.ceil(size * 1.45);

const fontOf = ({ size, weight }) => `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;

// Saves a chart as a picture, on the background colour of the page. `texts` is the heading, and what stands below it.
export function savePicture(chart, name, [heading, ...texts]) {
  const { canvas } = chart;
  const ratio = canvas.width / chart.width;
  const copy = document.createElement("canvas");
  const context = copy.getContext("2d");
  const room = chart.width - 2 * MARGIN;
  const lines = [
    ...wrapped(context, heading, HEADING, room),
    ...texts.flatMap((text) => wrapped(context, text, TEXT, room)),
    ...namesOf(context, chart, room),
  ];
  const top = MARGIN + lines.reduce((sum, line) => sum + leading(line.font), 0) + MARGIN / 2;
  [copy.width, copy.height] = [canvas.width, canvas.height + Math.round(top * ratio)];
  context.fillStyle = style("page");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, copy.height - canvas.height);
  context.scale(ratio, ratio);
  write(context, lines);
  save(copy.toDataURL("image/png"), `${name}.png`);
}

// Returns the name of a file of what the page has seen from one time to another, as the server names others: with the
// end, the length, and the unit.
export function spanName(what, from, to, ...units) {
  const end = new Date(to * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  const seconds = Math.round(to - from);
  const parts = [Math.floor(seconds / 60), seconds % 60].map((count, place) => (count ? `${count}${"MS"[place]}` : ""));
  return [what, `${end.replace(/00$/, "")}Z`, `PT${parts.join("") || "0S"}`, ...units].join("-");
}

function write(context, lines) {
  let y = MARGIN;
  for (const { font, parts } of lines) {
    y += leading(font);
    context.font = fontOf(font);
    context.textBaseline = "alphabetic";
    for (const { text, x, line } of parts) {
      if (line) drawSwatch(context, line, MARGIN + x, y - font.size * 0.35);
      context.fillStyle = style(font.colour);
      context.fillText(text, MARGIN + x + (line ? SWATCH : 0), y);
    }
  }
}

// Breaks a text into lines that fit, between words or, if a word is too long, within it.
function wrapped(context, text, font, room) {
  context.font = fontOf(font);
  const lines = [];
  let line = "";
  for (const piece of text.split(/(?<=\s)/).flatMap((word) => (context.measureText(word).width > room ? [...word] : [word]))) {
    if (line && context.measureText(line + piece.trimEnd()).width > room) {
      lines.push(line);
      line = "";
    }
    line += piece;
  }
  return [...lines, line].map((each) => ({ font, parts: [{ text: each.trimEnd(), x: 0 }] }));
}

// Returns the names of the visible lines of a chart without a legend of its own, as many beside one another as fit.
function namesOf(context, chart, room) {
  if (chart.options.plugins.legend.display !== false) return [];
  context.font = fontOf(NAME);
  const rows = [];
  let x = room;
  chart.data.datasets.forEach((line, place) => {
    if (!line.look || !chart.isDatasetVisible(place)) return;
    const [text] = wrapped(context, line.label, NAME, room - SWATCH).map(({ parts }) => parts[0].text);
    const width = SWATCH + context.measureText(text).width;
    if (x + width > room) {
      rows.push({ font: NAME, parts: [] });
      x = 0;
    }
    rows.at(-1).parts.push({ text, x, line });
    x += width + BETWEEN;
  });
  return rows;
}
