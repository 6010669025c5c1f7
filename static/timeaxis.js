// The time axis of charts. Labels are epoch seconds, which are positions too, so it works beyond the dates that JavaScript
// knows. Ticks stand at round times of the zone that the reader has chosen, or of the zone that the page is about.
import { isDate, midnight, offsetAt, timeText, zoneName, zonedText } from "./time.js";

const DAY = 86400;
const MONDAY = 4 * DAY; // of the week after that of 1970-01-01
const MOST = 12; // ticks
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const DAYS = [1, 2, 3, 7, 14];
const ROUND = [1, 2, 5, 10, 15, 30, ...MINUTES.map((minutes) => minutes * 60), ...DAYS.map((days) => days * DAY)]; // seconds

// Makes a time axis.
export function timeAxis(what) {
  const axis = { type: "linear", grid: {}, title: { display: true, text: what }, offset: false };
  let ticks = [];
  axis.afterBuildTicks = (scale) => {
    scale.ticks = ticks.map(({ value }) => ({ value }));
  };
  axis.ticks = { maxRotation: 0, autoSkipPadding: 16, callback: (value, place, shown) => textAt(shown[place].value) };
  const textAt = (value) => ticks.find((tick) => tick.value === value)?.text;
  // Call this when the times of the chart or the chosen zone have changed. `zone` has a name, and the offset from UTC of
  // each time; `before` and `after` are how many steps are left free on either side. Ticks stand at some of the times;
  // with `anywhere`, at any round time.
  axis.follow = (chart, times, step, { zone = null, before = 0, after = before, anywhere = false } = {}) => {
    const { x } = chart.options.scales;
    const [first, last] = [times[0], times.at(-1)];
    const free = times.length === 1 && !before ? [0.5, 0.5] : [before, after];
    if (times.length) [x.min, x.max] = [first - free[0] * step, last + free[1] * step];
    const near = anywhere && isDate(x.min) && isDate(x.max) ? candidates(x.min, x.max) : times;
    const offsets = near === times && zone ? zone.offsets : near.map(offsetAt);
    const clocks = near.map((time, place) => (near === times ? time + offsets[place] : clockAt(time)));
    const span = x.max - x.min;
    const places = near === times ? roundPlaces(clocks, step) : roundPlaces(clocks, Math.min(step, span / 2), true);
    const style = zone && step >= DAY ? { dateStyle: "medium" } : styleOf(places.map((place) => clocks[place]), span);
    ticks = places.map((place) => ({
      value: near[place],
      text: zone ? zonedText(near[place], offsets[place], style) : timeText(near[place], style),
    }));
    x.title.text = [what, daysOf(times, zone)];
  };
  return axis;
}

const dayOf = (clock) => Math.floor(clock / DAY);

// Returns what the chosen zone's clocks show; as midnight also where a day begins later, because clocks leave that hour out.
function clockAt(time) {
  const clock = time + offsetAt(time);
  return dayOf(clock) === dayOf(time - 1 + offsetAt(time - 1)) ? clock : dayOf(clock) * DAY;
}

// Returns times between which round ones can be found: a few thousand at most.
function candidates(from, to) {
  const span = to - from;
  if (span <= 60 * DAY) {
    const quantum = [900, 60, 10, 1].find((seconds) => seconds * MOST <= span) ?? 1;
    const first = Math.ceil(from / quantum) * quantum;
    return Array.from({ length: Math.floor((to - first) / quantum) + 1 }, (_, place) => first + place * quantum);
  }
  const begin = new Date((from + offsetAt(from)) * 1000);
  const [year, month, day] = [begin.getUTCFullYear(), begin.getUTCMonth(), begin.getUTCDate()];
  const days = span / DAY;
  const midnightAt = (place) => {
    if (days <= 3_000) return midnight(year, month, day + place);
    return days <= 100_000 ? midnight(year, month + place, 1) : midnight(year + place, 0, 1);
  };
  const found = [];
  for (let place = 0; midnightAt(place) <= to; place++) found.push(midnightAt(place));
  return found.filter((time) => time >= from);
}

const modulo = (number, divisor) => ((number % divisor) + divisor) % divisor;

// Returns the places of at most a dozen round ones among times as clocks show them; all places if there are none.
function roundPlaces(clocks, step, anywhere = false) {
  const every = clocks.map((_, place) => place);
  if (!clocks.length) return every;
  for (const round of ROUND.filter((round) => round >= step)) {
    const places = every.filter((place) => modulo(clocks[place] - (round % (7 * DAY) ? 0 : MONDAY), round) === 0);
    if (places.length <= MOST && (places.length > 1 || round < 7 * DAY)) return places.length > 1 ? places : every;
  }
  return isDate(clocks[0]) ? firstsOfMonths(clocks, every, anywhere ? 0 : step) : every;
}

// Returns the places of at most a dozen midnights that begin a month, a quarter, a year or several years.
function firstsOfMonths(clocks, every, step) {
  const months = clocks.map((clock) => {
    const date = new Date(clock * 1000);
    return clock % DAY === 0 && date.getUTCDate() === 1 ? date.getUTCFullYear() * 12 + date.getUTCMonth() : null;
  });
  if (step > DAY && months.includes(null)) return every; // weeks, for instance, meet the first of a month by chance
  for (const round of [1, 3, 6, ...[1, 2, 5, 10, 20, 50, 100].map((years) => years * 12)]) {
    const places = every.filter((place) => months[place] !== null && months[place] % round === 0);
    if (places.length <= MOST) return places.length > 1 ? places : every;
  }
  return every;
}

// Returns how ticks are written: as days if all are midnights, else with the time of day.
function styleOf(clocks, span) {
  const midnights = clocks.every((clock) => clock % DAY === 0);
  if (span > 1_000 * DAY || (midnights && span > 300 * DAY)) return { dateStyle: "medium" };
  if (midnights && clocks.length > 1) return { month: "short", day: "numeric" };
  if (span > DAY) return { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return { timeStyle: clocks.every((clock) => clock % 60 === 0) ? "short" : "medium" };
}

// Returns the days of the chart in words, and the zone.
function daysOf(times, zone) {
  if (!times.length) return "";
  const places = [0, times.length - 1];
  if (!places.every((place) => isDate(times[place]))) return "seconds since 1970";
  const style = { dateStyle: "medium" };
  const day = (place) => (zone ? zonedText(times[place], zone.offsets[place], style) : timeText(times[place], style));
  return `${[...new Set(places.map(day))].join(" – ")}, ${zone ? zone.name : zoneName()}`;
}
