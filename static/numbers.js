// Numbers in the reader's words. The server writes them in English and decides how many digits they have; here they get
// the digits and separators of the reader's language.

const ENGLISH = /^(-?)(\d[\d,]*)(?:\.(\d+))?(?:e([+-]?\d+))?(?=$| )/;

const formats = new Map();

function format(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(undefined, options));
  return formats.get(key);
}

// Writes a number that is given in English, with what follows it, such as a unit. Text that is no number is returned.
export function localText(text) {
  const match = ENGLISH.exec(text);
  if (!match) return text;
  const [number, sign, whole, fraction = "", power] = match;
  const digits = { minimumFractionDigits: fraction.length, maximumFractionDigits: fraction.length };
  // As text, so that no digit is lost that a double has no room for.
  const plain = `${sign}${whole.replaceAll(",", "")}${fraction && `.${fraction}`}${power ? `e${power}` : ""}`;
  return format(power ? { ...digits, notation: "scientific" } : digits).format(plain) + text.slice(number.length);
}

// Writes a number with so many digits after the point.
export const decimalText = (value, decimals) =>
  format({ minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);

// Writes the numbers of a part of a page that the server has just written.
export function localNumbers(part) {
  for (const element of part.querySelectorAll("data[value], [data-number]")) {
    if (element.childElementCount) continue;
    element.textContent = localText(element.textContent);
    if (element.title) element.title = localText(element.title);
  }
}

// Writes a number with at most six digits, and null as "no value".
export function figure(value) {
  if (value === null || value === undefined) return "no value";
  const ordinary = value === 0 || (Math.abs(value) >= 1e-6 && Math.abs(value) < 1e12);
  return format({ maximumSignificantDigits: 6, ...(ordinary ? {} : { notation: "scientific" }) }).format(value);
}

// Writes all digits of a double: any decimal number of up to fifteen digits is written as it was.
export const fullText = (value) => localText(String(Number(value.toPrecision(15))));
