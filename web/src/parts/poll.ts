// Does something again and again while it is looked at: never twice at once, never in a hidden tab or off screen.
import type { Lifetime } from "../lib/signal";

export interface Poll {
  /** Once more, now. */
  poke: () => void;
}

/** Calls `work` every `interval` milliseconds while `watched` is on screen and `wanted()` holds. */
export function poll(
  life: Lifetime,
  watched: HTMLElement,
  interval: number,
  wanted: () => boolean,
  work: () => Promise<void>,
): Poll {
  let onScreen = false;
  let busy = false;
  const step = async (force = false): Promise<void> => {
    if (busy || life.over || document.hidden || !(force || (onScreen && wanted()))) return;
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
    }
  };
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? false;
    void step();
  });
  observer.observe(watched);
  void step(true); // Once in any case, so that whoever scrolls down finds a picture.
  life.add(() => observer.disconnect());
  life.every(interval, () => void step());
  return { poke: () => void step(true) };
}
