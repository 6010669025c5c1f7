// Figures of the last minutes as the server knows them. Each refresh brings all of them, so a page that was opened just now,
// was paused or hidden, or did not reach the server shows the same as one that watched all the time.

export class Moments {
  kept = []; // [time, values], oldest first; values are null where nothing is known

  // Keeps the figures of the last `span` seconds.
  constructor(span) {
    this.span = span;
  }

  get last() {
    return { time: this.kept.at(-1)[0] };
  }

  // Takes columns: the times, and the values of each figure. What a server does not know, because it was started since,
  // may be known from before.
  take({ time: times, ...columns }) {
    const before = new Map(this.kept);
    const names = Object.keys(columns);
    this.kept = times.map((time, place) => {
      const known = names.length && columns[names[0]][place] !== null;
      return [time, known ? Object.fromEntries(names.map((name) => [name, columns[name][place]])) : (before.get(time) ?? null)];
    });
  }

  // Returns the points of a curve; a point without a value makes a gap.
  points(name) {
    return this.kept.map(([x, values]) => ({ x, y: values?.[name] ?? null }));
  }

  // Returns those of which something is known.
  get known() {
    return this.kept.filter(([, values]) => values);
  }
}
