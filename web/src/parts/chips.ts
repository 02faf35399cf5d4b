// Quality flags as chips; each opens to one sentence. A flag stays in sight, dimmed, for a moment after its last window.
import { FLAG_MEMORY_MS, plug } from "../api/plug";
import { h, setText } from "../lib/dom";
import type { Lifetime } from "../lib/signal";
import { flagText } from "../texts/flags";

export function flagChips(life: Lifetime): HTMLElement {
  const list = h("ul", { "class": "chips", "aria-label": "Quality flags of this reading" });
  const none = h("li", { class: "chip good" }, "No flags: nothing speaks against these numbers");
  const shown = new Map<string, HTMLElement>();

  const update = (): void => {
    const reading = plug.reading.value;
    if (!reading) return;
    const now = plug.receivedAt;
    const names = [...plug.flagSeen].filter(([, seen]) => now - seen < FLAG_MEMORY_MS).map(([name]) => name);
    for (const [name, chip] of shown) {
      if (names.includes(name)) continue;
      chip.remove();
      shown.delete(name);
    }
    for (const name of names) {
      let chip = shown.get(name);
      if (!chip) {
        chip = makeChip(name);
        shown.set(name, chip);
        list.append(chip);
      }
      const past = !reading.quality.includes(name);
      chip.classList.toggle("past", past);
      const age = chip.querySelector(".chip-age");
      if (age) setText(age, past ? " a moment ago" : "");
    }
    if (names.length > 0) none.remove();
    else if (!none.isConnected) list.append(none);
  };
  life.watch(plug.reading, update);
  return list;
}

function makeChip(name: string): HTMLElement {
  const { label, meaning, weight } = flagText(name);
  const details = h(
    "details",
    {},
    h("summary", {}, label, h("span", { class: "chip-age" })),
    h("p", {}, meaning, " ", h("code", {}, name)),
  );
  const chip = h("li", { class: `chip ${weight}` }, details);
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape") details.open = false;
  });
  details.addEventListener("focusout", (event) => {
    if (!details.contains(event.relatedTarget as Node | null)) details.open = false;
  });
  return chip;
}
