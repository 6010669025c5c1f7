// The units of bytes on charts: in hovers and on axes. `bandwidth/units.py` writes all other figures by the same rules.
import { decimalText, localText } from "./numbers.js";

const DIGITS = 4; // significant digits of a number in a unit that was chosen; those before the point are all kept
const MAX_DECIMALS = 15;

const prefixed = (prefixes, symbol) => ["", ...prefixes].map((prefix) => prefix + symbol);
const DECIMAL = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const FAMILIES = {
  bytes: { symbols: prefixed(DECIMAL, "B"), base: 1000, perByte: 1 },
  binary: { symbols: prefixed(DECIMAL.map((prefix) => `${prefix.toUpperCase()}i`), "B"), base: 1024, perByte: 1 },
  bits: { symbols: prefixed(DECIMAL, "bit"), base: 1000, perByte: 8 },
};

const family = (unit) => FAMILIES[unit] ?? Object.values(FAMILIES).find(({ symbols }) => symbols.includes(unit));

// Whether a unit stands for all of its multiples, of which the one that fits is taken.
export const isFamily = (unit) => unit in FAMILIES;

export const isBits = (unit) => family(unit).perByte === 8;

// Writes a number of bytes divided by `divisor`, both integers, as the server does; but in the reader's words.
export const bytesText = (count, unit = "bytes", options = {}) => localText(bytesEnglish(count, unit, options));

export function bytesEnglish(count, unit, { divisor = 1, rate = false } = {}) {
  const { symbols, base, perByte } = family(unit);
  const fitting = unit in FAMILIES;
  const above = BigInt(count) * BigInt(perByte);
  for (let power = fitting ? 0 : symbols.indexOf(unit); ; power++) {
    const below = BigInt(divisor) * BigInt(base) ** BigInt(power);
    const decimals = fitting && power ? 1 : decimalsOf(above, below);
    const scale = 10n ** BigInt(decimals);
    const scaled = (2n * above * scale + below) / (2n * below);
    if (fitting && power < symbols.length - 1 && scaled >= BigInt(base) * scale) continue;
    let digits = decimals ? String(scaled % scale).padStart(decimals, "0") : "";
    if (!(fitting && power)) digits = digits.replace(/0+$/, "");
    const whole = String(scaled / scale).replace(/\B(?=(\d{3})+$)/g, ",");
    return `${whole}${digits && `.${digits}`} ${symbols[power]}${rate ? "/s" : ""}`;
  }
}

function decimalsOf(above, below) {
  if (above >= below || !above) return Math.max(DIGITS - String(above / below).length, 0);
  let decimals = DIGITS;
  while (above * 10n ** BigInt(decimals - DIGITS + 1) < below && decimals < MAX_DECIMALS) decimals += 1;
  return decimals;
}

// Returns the ticks of an axis from zero to at least `top` bytes, at most so many steps apart: round numbers of one unit.
// Steps are 1, 2 or 5 times a power of ten, in binary units powers of two; of bytes and bits per window there are no parts.
export function byteTicks(top, most, unit = "bytes", { divisor = 1, rate = false } = {}) {
  const { symbols, base, perByte } = family(unit);
  const shown = (top * perByte) / divisor;
  const fitting = () => symbols.findLastIndex((_, place) => place === 0 || shown >= base ** place);
  const power = unit in FAMILIES ? fitting() : symbols.indexOf(unit);
  const size = base ** power;
  const step = roundStep(shown / size / most, base, power || rate ? 0 : 1);
  const decimals = Math.max(0, base === 1024 ? -Math.log2(step) : -Math.floor(Math.log10(step) + 1e-9));
  const steps = Math.max(Math.ceil(shown / size / step - 1e-9), 1);
  return Array.from({ length: steps + 1 }, (_, place) => ({
    value: (place * step * size * divisor) / perByte,
    label: `${decimalText(place * step, place ? decimals : 0)} ${symbols[power]}${rate ? "/s" : ""}`,
  }));
}

// Returns the smallest round step that is at least as large as both.
function roundStep(step, base, least) {
  const wanted = Math.max(step, least) || 1;
  if (base === 1024) return 2 ** Math.ceil(Math.log2(wanted) - 1e-9);
  const ten = 10 ** Math.floor(Math.log10(wanted) + 1e-9);
  return [1, 2, 5, 10].map((times) => Number((times * ten).toPrecision(3))).find((round) => round >= wanted * (1 - 1e-9));
}

// Makes an axis of bytes, from zero, with such ticks. `setting` returns unit and options.
export function byteAxis(most, setting, more = {}) {
  return {
    beginAtZero: true,
    suggestedMax: 10,
    grid: {},
    ...more,
    ticks: { ...more.ticks, autoSkip: false, callback: (value, place, ticks) => ticks[place].label },
    afterDataLimits: (scale) => {
      scale.highest = scale.max; // before Chart.js makes ticks of its own
    },
    afterBuildTicks: (scale) => {
      const { unit, ...options } = setting();
      scale.ticks = byteTicks(scale.highest, most, unit, options);
      [scale.min, scale.max] = [0, scale.ticks.at(-1).value];
    },
  };
}
