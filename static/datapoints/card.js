// The dashboard's card of datapoints: the number added per second.
import { Curve, onSample } from "../dashboard.js";
import { figure } from "../numbers.js";

const curve = new Curve("datapoints-chart", "points per second");

// Returns the points added per second since the previous sample; null after a restart, when the count starts again.
function rateOf(time, added) {
  const before = curve.before(time);
  return before && added >= before.added ? (added - before.added) / (time - before.time) : null;
}

// Three digits, because further ones change with every sample.
const rateText = (rate) => (rate === null ? "–" : figure(rate < 100 ? Number(rate.toPrecision(3)) : Math.round(rate)));

onSample("datapoints", (time, { added }) => {
  const rate = rateOf(time, added);
  document.getElementById("rate").textContent = rateText(rate);
  curve.add({ time, added, rate }, "rate");
});
