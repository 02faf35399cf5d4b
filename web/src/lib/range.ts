// Which part of the history is looked at: its length, whether it ends now, and of which start of the plug.
import type { Span } from "./past";

/** So much is always in the picture. */
const SHORTEST_S = 60;

export class Range {
  /** `null`: until now. */
  end: number | null = null;
  /** A start that never learned the time. */
  boot: number | undefined;
  /** Nobody chose that start: it is looked at until the plug knows the time. */
  instead = false;
  #length: number;

  constructor(private chosen: number) {
    this.#length = chosen;
  }

  /** Whether it is one of the lengths to choose from, until now. */
  get plain(): boolean {
    return this.end === null && this.#length === this.chosen && (this.boot === undefined || this.instead);
  }

  choose(length: number): void {
    this.chosen = this.#length = length;
  }

  zoom(start: number, end: number): void {
    this.#length = end - start;
    this.end = end;
  }

  /** One picture earlier (-1) or later (1); `newest` is now. */
  move(direction: number, newest: number): void {
    const to = (this.end ?? newest) + direction * this.#length;
    this.end = to >= newest ? null : to;
  }

  look(boot: number | undefined, instead = false): void {
    this.boot = boot;
    this.instead = instead;
    this.end = null;
  }

  /** Back to the chosen length, until now. */
  reset(): void {
    this.look(undefined);
    this.#length = this.chosen;
  }

  /** What to ask for, if it reaches until `until`. */
  span(until: number): Span {
    const end = Math.max(SHORTEST_S, Math.ceil(until));
    const start = Math.max(0, end - Math.round(this.#length));
    return this.boot === undefined ? { start, end } : { start, end, boot: this.boot };
  }
}
