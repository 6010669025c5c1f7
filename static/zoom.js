// A plugin for charts whose axis is time in epoch seconds: a drag across the chart, by mouse, pen or finger, chooses a
// range to zoom in to; Escape gives the drag up, and a double click goes back. A finger that moves up or down scrolls the
// page (`touch-action` in style.css).
import { style } from "./charts.js";

const LEAST = 8; // pixels that make a movement a drag
const FONT = 12; // pixels
const PADDING = 6;

// Makes the plugin. `to` is called with the two times between which to zoom in, in order, and `back` to zoom out again;
// `text` writes them meanwhile.
export function zooming({ to, back, text }) {
  let drag = null; // { chart, pointer, from: the time where it began, at: where it began, x: where it is, in pixels }

  const isDragged = () => drag !== null && Math.abs(drag.x - drag.at) >= LEAST;
  const isInside = ({ chartArea: area }, { offsetX: x, offsetY: y }) =>
    x >= area.left && x <= area.right && y >= area.top && y <= area.bottom;
  const within = ({ left, right }, x) => Math.min(Math.max(x, left), right);
  const times = () => [drag.from, drag.chart.scales.x.getValueForPixel(drag.x)].sort((a, b) => a - b);

  function begin(chart, event) {
    if (drag || !event.isPrimary || event.button !== 0 || !isInside(chart, event) || !chart.data.labels.length) return;
    const at = event.offsetX;
    drag = { chart, pointer: event.pointerId, from: chart.scales.x.getValueForPixel(at), at, x: at };
    chart.canvas.setPointerCapture(event.pointerId);
    document.addEventListener("keydown", onKey, true);
  }

  function move(chart, event) {
    if (event.pointerId !== drag?.pointer) return;
    drag.x = within(chart.chartArea, event.offsetX);
    chart.draw();
  }

  function end() {
    const { chart } = drag;
    drag = null;
    document.removeEventListener("keydown", onKey, true);
    chart.draw();
  }

  function drop(event) {
    if (event.pointerId !== drag?.pointer) return;
    const chosen = isDragged() ? times() : null;
    end();
    if (chosen) to(...chosen);
  }

  const cancel = (event) => event.pointerId === drag?.pointer && end();

  function onKey(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    end();
  }

  return {
    id: "zooming",
    // The listeners live as long as the canvas.
    afterInit(chart) {
      const { canvas } = chart;
      canvas.addEventListener("pointerdown", (event) => begin(chart, event));
      canvas.addEventListener("pointermove", (event) => move(chart, event));
      canvas.addEventListener("pointerup", drop);
      canvas.addEventListener("pointercancel", cancel);
      canvas.addEventListener("lostpointercapture", cancel);
      canvas.addEventListener("dblclick", (event) => isInside(chart, event) && back());
    },
    beforeTooltipDraw: ({ id }) => !(drag?.chart.id === id && isDragged()), // it would cover the band
    // The band between the two times, which they are written on.
    afterDraw(chart) {
      if (drag?.chart !== chart || !isDragged()) return;
      const { ctx, chartArea: area, scales } = chart;
      const [left, right] = times().map((time) => within(area, scales.x.getPixelForValue(time)));
      const words = text(...times());
      ctx.save();
      ctx.fillStyle = `${style("link")}2e`;
      ctx.fillRect(left, area.top, right - left, area.height);
      ctx.fillStyle = style("link");
      for (const edge of [left, right]) ctx.fillRect(edge - 0.5, area.top, 1, area.height);
      ctx.font = `${FONT}px ${Chart.defaults.font.family}`;
      const width = ctx.measureText(words).width + 2 * PADDING;
      const start = Math.max(Math.min((left + right - width) / 2, area.right - width), area.left);
      ctx.fillStyle = style("panel");
      ctx.fillRect(start, area.top, width, FONT + 2 * PADDING);
      ctx.strokeStyle = style("rule");
      ctx.strokeRect(start, area.top, width, FONT + 2 * PADDING);
      ctx.fillStyle = style("text");
      ctx.textBaseline = "middle";
      ctx.fillText(words, start + PADDING, area.top + PADDING + FONT / 2);
      ctx.restore();
    },
  };
}
