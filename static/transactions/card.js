// The dashboard's card of transactions: their number in the last 60 seconds.
import { SPAN, drawCurve, onSample } from "../dashboard.js";
import { Moments } from "../moments.js";

const moments = new Moments(SPAN);

onSample("transactions", (time, { curve }) => {
  moments.take(curve);
  drawCurve("transactions-chart", "transactions", moments, "count");
});
