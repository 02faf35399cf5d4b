// Energy: the totals, and what each day and month took.
import { api, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { Energy, EnergyPart } from "../api/types";
import { h, setText } from "../lib/dom";
import { decimal, duration, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { poll } from "../parts/poll";

const EVERY_MS = 10_000;

/** Kilowatt-hours from 10 kWh on: then the last watt-hours say nothing any more. */
export function energyText(wattHours: number): string {
  const size = Math.abs(wattHours);
  return size >= 10_000
    ? `${decimal(wattHours / 1000, 2)}\u00a0kWh`
    : `${decimal(wattHours, size < 100 ? 2 : 0)}\u00a0Wh`;
}

type Named = EnergyPart & { name: string };

function table(kind: string, parts: Named[]): HTMLElement {
  const most = parts.reduce((largest, part) => Math.max(largest, part.import_wh, part.export_wh), 0);
  const exports = parts.some((part) => part.export_wh > 0);
  const bar = (value: number, name: string): Node => {
    const fill = h("i", { class: name });
    fill.style.width = `${most > 0 ? (100 * value) / most : 0}%`;
    return h("span", { class: "meter" }, fill);
  };
  const heads = [kind, "Imported", ...(exports ? ["Exported"] : []), ""];
  return h(
    "table",
    { class: "energies" },
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h(
      "tbody",
      {},
      ...parts.map((part) =>
        h(
          "tr",
          {},
          h(
            "td",
            {},
            part.name,
            part.unmeasured_s > 0 && h("span", { class: "gap" }, `${duration(part.unmeasured_s)} not measured`),
          ),
          h("td", {}, energyText(part.import_wh)),
          exports && h("td", {}, energyText(part.export_wh)),
          h("td", { class: "bar-cell" }, bar(part.import_wh, "imported"), exports && bar(part.export_wh, "exported")),
        ),
      ),
    ),
  );
}

export function energyPage(life: Lifetime): Node {
  const note = h("p", { class: "hint", role: "status" }, "Asking the plug…");
  const total = h("span", { class: "number" }, "–");
  const facts = h("dl", { class: "facts" });
  const days = h("div");
  const months = h("div");

  const draw = (energy: Energy): void => {
    setText(total, energyText(energy.energy_import_wh));
    const { today } = energy;
    const entries: [string, string][] = [
      ["Today", today ? energyText(today.import_wh) : "not known: the plug does not know the time"],
      ["Exported", energyText(energy.energy_export_wh)],
      ["Below noise", `${withUnit(energy.energy_below_noise_wh, "Wh")} of it while the current was below noise`],
      ["Not measured", `${duration(energy.unmeasured_s)} in all: restarts, lost samples`],
      ["Meter", energy.meter_id],
    ];
    facts.replaceChildren(...entries.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
    const none = (what: string): Node =>
      h("p", { class: "hint" }, `No ${what} yet: they count from when the plug knows the time.`);
    days.replaceChildren(
      energy.days.length > 0
        ? table(
            "Day",
            energy.days.map((day) => ({ ...day, name: day.date })),
          )
        : none("days"),
    );
    months.replaceChildren(
      energy.months.length > 0
        ? table(
            "Month",
            energy.months.map((month) => ({ ...month, name: month.month })),
          )
        : none("months"),
    );
    setText(note, "The totals only ever rise. A factory reset starts anew, under another meter identity.");
  };
  const page = h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Energy"),
    h(
      "section",
      { "class": "card energy-total", "aria-labelledby": "total-title" },
      h("h2", { id: "total-title" }, "Imported in all"),
      h("p", { class: "big" }, total),
      facts,
      note,
    ),
    h(
      "section",
      { "class": "card", "aria-labelledby": "days-title" },
      h("h2", { id: "days-title" }, "Days"),
      h("p", { class: "hint" }, "In the plug's time zone, newest first."),
      days,
    ),
    h(
      "section",
      { "class": "card", "aria-labelledby": "months-title" },
      h("h2", { id: "months-title" }, "Months"),
      months,
    ),
  );
  poll(
    life,
    page,
    EVERY_MS,
    () => plug.link.value.state !== "gone",
    async () => {
      try {
        draw(await api.energy());
      } catch (error) {
        if (!(error instanceof NoAnswer)) setText(note, (error as Error).message);
      }
    },
  );
  return page;
}
