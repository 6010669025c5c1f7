// The dashboard's card of datapoints: how many come in per second.
import { figure } from "../charts.js";
import { Curve, onSample } from "../dashboard.js";

const curve = new Curve("datapoints-chart", "points per second");

// What was added since the sample before, per second. A restart begins to count anew, so that less means unknown.
function rateOf(time, added) {
  const before = curve.before(time);
  return before && added >= before.added ? (added - before.added) / (time - before.time) : null;
}

// Three digits, for the next ones change with each look.
const rateText = (rate) => (rate === null ? "–" : figure(rate < 100 ? Number(rate.toPrecision(3)) : Math.round(rate)));

onSample("datapoints", (time, { added }) => {
  const rate = rateOf(time, added);
  document.getElementById("rate").textContent = rateText(rate);
  curve.add({ time, added, rate }, "rate");
});
