// The forms of the browsable API: they send with any method and media type, and the answer is shown in the page.

const unreachable = document.getElementById("unreachable");

prettyPrint();
for (const opener of document.querySelectorAll("[data-opens]"))
  opener.addEventListener("click", () => document.getElementById(opener.dataset.opens).showModal());
for (const form of document.querySelectorAll("form[data-method]")) form.addEventListener("submit", send);
// Until now, the browser itself would have sent the forms.
for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const method = form.dataset.method;
  const type = form.querySelector("[data-override='content-type']");
  const content = form.querySelector("[data-override='content']");
  form.closest("dialog")?.close();
  const headers = { Accept: "text/html; q=1.0, */*" };
  if (type) headers["Content-Type"] = type.value;
  try {
    const answer = await fetch(form.action, { method, headers, body: content?.value });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    unreachable.hidden = true;
    show(page.getElementById("answer") ?? bare(answer, method));
    const example = page.querySelector("[data-override='content']");
    if (answer.ok && content && example) content.value = example.value; // what was refused stays, to be corrected
  } catch {
    unreachable.textContent = "The server cannot be reached. Nothing is known of whether it did this.";
    unreachable.hidden = false;
    scroll(0, 0);
  }
}

function show(answer) {
  document.getElementById("answer").replaceWith(answer);
  prettyPrint();
  scroll(0, 0);
}

// An answer that is no page: a 204, or what a proxy says.
function bare(answer, method) {
  const shown = document.getElementById("answer").cloneNode(true);
  const url = new URL(answer.url);
  shown.querySelector("[role=alert]")?.remove();
  shown.querySelector(".request-info pre").textContent = `${method} ${url.pathname}${url.search}`;
  shown.querySelector(".response-info pre").textContent = `HTTP ${answer.status} ${answer.statusText}`;
  return shown;
}
