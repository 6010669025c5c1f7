// What the server pushes: a page as an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html),
// whose events are its new versions. Read with `fetch` and not with EventSource, because one request asks for a page or
// its stream, and an answer of any other kind is handled like that to any other request.

export const ACCEPTED = "text/event-stream, text/html;q=0.9";

// A browser opens six connections to a host over HTTP/1.1. Pages that are visible at once take at most so many of them.
const AT_ONCE = 4;

export const isStream = (answer) => answer.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;

// Calls `onPage` with each page that a stream brings, and `onTime` with each time up to which nothing has changed, until
// the stream ends. `onSign` is called with each sign of life. Comments carry the time.
export async function readStream(answer, { onPage, onTime, onSign }) {
  let lines = [];
  let rest = "";
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    onSign();
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    for (const line of parts) {
      if (line.startsWith("data: ")) lines.push(line.slice(6));
      else if (line.startsWith(": ")) onTime(line.slice(2));
      else if (line === "" && lines.length) onPage(lines.splice(0).join("\n"));
    }
  }
}

// Returns the function that gives back the right to a connection, once it is there; null if other pages have them all.
// Where the browser has no locks, over plain HTTP that is, each page has the right.
export async function takeConnection() {
  if (!navigator.locks) return () => {};
  for (let number = 1; number <= AT_ONCE; number += 1) {
    const release = await take(`live-${number}`);
    if (release) return release;
  }
  return null;
}

const take = (name) =>
  new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((release) => resolve(release));
    });
  });
