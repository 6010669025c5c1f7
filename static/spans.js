// Charts of values that belong to a span of time: lines in steps, each from the end of the span before to its own end.
// A label is the end of its span, and all spans are `chart.options.span` seconds long.
import { OPEN } from "./charts.js";

// Draws the first span, which a line in steps leaves out.
export const firstSpan = {
  id: "first-span",
  afterDatasetDraw(chart, { index, meta }) {
    const [point] = meta.data;
    if (!point || !Number.isFinite(point.y)) return;
    const line = chart.data.datasets[index];
    const { ctx, chartArea } = chart;
    ctx.save();
    [ctx.strokeStyle, ctx.lineWidth] = [line.borderColor, line.borderWidth];
    ctx.setLineDash(line.borderDash ?? (line.hollow?.(0) ? OPEN : []));
    ctx.beginPath();
    ctx.moveTo(chartArea.left, point.y);
    ctx.lineTo(point.x, point.y);
    ctx.stroke();
    ctx.restore();
  },
};

// Under the pointer is the span that holds its time, which need not be the one whose end is nearest.
Chart.Interaction.modes.span = (chart, event) => {
  const { labels } = chart.data;
  const { left, right } = chart.chartArea;
  if (!labels.length || event.x < left || event.x > right) return [];
  const place = Math.ceil((chart.scales.x.getValueForPixel(event.x) - labels[0]) / chart.options.span);
  const index = Math.min(Math.max(place, 0), labels.length - 1);
  return chart.getSortedVisibleDatasetMetas().map((meta) => ({ element: meta.data[index], datasetIndex: meta.index, index }));
};
