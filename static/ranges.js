// The ranges of a chart page: zooming by addresses, links to copy, and the part of the form for exact ranges.
import { onView, visit } from "./live.js";
import { timeText } from "./time.js";

export const LAST_SECOND = 253402300799; // of the year 9999; no address goes beyond

const DAY = 86400;

// Shows a range that was zoomed in to, whose address differs from that of the page in these parameters; null leaves one out.
export function zoomTo(parameters) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  visit(url.href, { push: true, state: { zoomed: true } });
}

// Goes back to the range before a zoom; from a range that was not zoomed in to, to one twice as long.
export function zoomBack() {
  const wider = document.getElementById("zoom-out");
  if (history.state?.zoomed) history.back();
  else if (wider) visit(wider.href, { push: true });
}

// Writes a range while it is being chosen.
export const rangeText = (from, to, write = timeText) => {
  const style = to - from > DAY ? { dateStyle: "medium", timeStyle: "short" } : { timeStyle: "medium" };
  return `${write(from, style)} – ${write(to, style)}`;
};

// Copies an address; where the browser refuses that, selects it for the reader to copy.
async function copy(url) {
  const field = document.getElementById("copy-text");
  const status = document.getElementById("copied");
  status.textContent = "";
  try {
    await navigator.clipboard.writeText(url);
    field.hidden = true;
    status.textContent = "Copied";
  } catch {
    field.value = url;
    field.hidden = false;
    field.select();
    status.textContent = "Selected: copy it with your browser";
  }
}

// Opens the exact part of the form if something in it is wrong; nothing but the reader closes it.
function openWrong(form) {
  for (const { textContent: name } of document.querySelectorAll(".problem code")) {
    const part = form.querySelector(`details [name="${CSS.escape(name)}"]`)?.closest("details");
    if (part) part.open = true;
  }
}

// Starts to handle what the pages with ranges have in common.
export function setUpRanges(form) {
  document.addEventListener("click", ({ target }) => {
    if (!target.dataset?.copy) return;
    copy(new URL(document.getElementById("copy").dataset[target.dataset.copy], location.href).href);
  });
  onView(() => {
    const buttons = document.getElementById("copying");
    if (buttons?.hidden) buttons.hidden = false;
    openWrong(form);
  });
}
