// Values that tell when they change, and lifetimes that stop telling when a page is left.

type Listener<T> = (value: T) => void;

export class Signal<T> {
  #value: T;
  #listeners = new Set<Listener<T>>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  /** Calls now and at every change; the answer ends it. */
  watch(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    listener(this.#value);
    return () => this.#listeners.delete(listener);
  }
}

/** What a page started and must stop. */
export class Lifetime {
  #endings: (() => void)[] = [];
  #over = false;

  /** Whether `end` was called. */
  get over(): boolean {
    return this.#over;
  }

  add(ending: () => void): void {
    if (this.#over) ending();
    else this.#endings.push(ending);
  }

  watch<T>(signal: Signal<T>, listener: Listener<T>): void {
    this.add(signal.watch(listener));
  }

  every(milliseconds: number, action: () => void): void {
    const timer = setInterval(action, milliseconds);
    this.add(() => clearInterval(timer));
  }

  listen(target: EventTarget, type: string, listener: (event: Event) => void): void {
    target.addEventListener(type, listener);
    this.add(() => target.removeEventListener(type, listener));
  }

  end(): void {
    this.#over = true;
    for (const ending of this.#endings.splice(0)) ending();
  }
}
