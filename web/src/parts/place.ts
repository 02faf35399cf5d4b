// Time zone and position: proposed from what this browser knows.
import { type Child, h, setAttribute, setText } from "../lib/dom";
import type { Form } from "../lib/form";
import { valueAt } from "../lib/patch";
import type { Lifetime } from "../lib/signal";
import { browserZone, zones } from "../lib/zonefile";
import { findZone, proposeZone } from "../lib/zones";
import { timeSource } from "../texts/access";
import { TIME } from "../texts/settings";
import { clockLine } from "./clock";
import { groupCard } from "./groups";

const text = (form: Form, path: string): string => {
  const taken = form.at(path)?.take();
  return taken && "value" in taken ? String(taken.value) : "";
};

/** The card of `time`; `form` may be loaded later. */
export function placeCard(life: Lifetime, form: Form): HTMLElement {
  const proposal = h("p", { class: "proposal", hidden: true });
  const names = h("datalist", { id: "zones" });
  const card = groupCard(form, TIME, [clockLine(life, form.loaded), proposal, names], usePosition(form));
  setAttribute(card.querySelector('[data-field="time.zone"]') as Element, "list", names.id);

  const source = form.at("time.source");
  const goesOut = h("p", { class: "hint", role: "status" });
  source?.node.querySelector(".field-what")?.append(goesOut);
  const explain = (): void => setText(goesOut, timeSource(text(form, "time.source")));
  source?.node.addEventListener("change", explain);
  life.watch(form.loaded, explain);

  zones().then(
    (zones) => {
      if (life.over) return;
      names.replaceChildren(...[...zones.keys()].map((name) => h("option", { value: name })));
      const propose = (): void => {
        if (valueAt(form.base, "time.zone") === undefined) return;
        const found = proposeZone(zones, browserZone(), text(form, "time.posix"));
        setAttribute(proposal, "hidden", found === null);
        if (!found) return;
        const use = (): void => {
          form.at("time.zone")?.type?.(found.zone);
          form.at("time.posix")?.type?.(found.posix);
        };
        proposal.replaceChildren(
          `This browser is in the zone ${found.zone}, the plug in ${text(form, "time.zone")}. `,
          h("button", { type: "button", class: "small", onclick: use }, `Use ${found.zone}`),
        );
      };
      form.at("time.zone")?.node.addEventListener("input", () => {
        const found = findZone(zones, text(form, "time.zone"));
        if (found && found.posix !== text(form, "time.posix")) form.at("time.posix")?.type?.(found.posix);
      });
      card.addEventListener("input", propose);
      life.watch(form.loaded, propose);
    },
    () => undefined, // It can be typed.
  );
  return card;
}

/** Browsers tell the position only to pages that came over HTTPS, or from this very computer. */
function usePosition(form: Form): Child {
  if (!isSecureContext || !("geolocation" in navigator)) return null;
  const note = h("span", { class: "hint", role: "status" });
  const use = (): void => {
    setText(note, "Asking the browser…");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        setText(note, "");
        for (const name of ["latitude", "longitude"] as const) {
          form.at(`time.${name}_deg`)?.type?.(coords[name].toFixed(2));
        }
      },
      () => setText(note, "The browser does not tell it: type it instead."),
    );
  };
  return h(
    "p",
    { class: "tools" },
    h("button", { type: "button", class: "small", onclick: use }, "Use this browser's position"),
    note,
  );
}
