// The dashboard's card of transactions: their number in the last 60 seconds.
import { Curve, onSample } from "../dashboard.js";

const curve = new Curve("transactions-chart", "transactions");

onSample("transactions", (time, { count }) => curve.add({ time, count }, "count"));
