// History: the plug's own log as pictures, how each point came about, and as files.
import { api, historyPath, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { HistoryPage } from "../api/types";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import { decimal, duration, moment, withUnit } from "../lib/format";
import { extended, originOf, type Past, pastOf, type Span, unmeasured } from "../lib/past";
import type { Lifetime } from "../lib/signal";
import { LOOKS } from "../parts/looks";
import { pastPlots, type Second } from "../parts/pastplots";
import { segments } from "../parts/segments";
import { energyText } from "./energy";

const LENGTHS: [number, string][] = [
  [3600, "Hour"],
  [86_400, "Day"],
  [604_800, "Week"],
];
const SECONDS: Second[] = ["voltage", "current", "energy", "frequency"];
/** A picture that ends now is asked for what is new, not more often than this. */
const SOONEST_MS = 10_000;
/** Less than this of a span not measured is the row that is still being made. */
const BARELY_S = 30;

type Unplaced = NonNullable<HistoryPage["unplaced"]>[number];

/** A moment on the axis of the picture. */
const when = (at: number, span: Span): string =>
  span.boot === undefined ? moment(at) : `${duration(at)} after start ${span.boot}`;

/** Everything about one point, as terms and words. */
export function pointFacts(past: Past, n: number, span: Span): [string, string][] {
  const value = (name: string): number | null => past.of[name]?.[n] ?? null;
  const end = past.time[n] ?? 0;
  const length = `${when(end - past.step, span)} to ${when(end, span)}`;
  const measured = value("measured");
  if (!measured)
    return [
      ["From", length],
      ["Gap", "nothing was measured: the plug was off, or its log does not reach there"],
    ];
  const { from, to, energy } = originOf(past, n);
  const hours = `${decimal(past.step * measured, 0)} s measured`;
  const sum =
    energy === null
      ? "the mean of what the log has for this time"
      : `${withUnit(energy, "Wh")} counted in ${hours}: the counter went from ${decimal(from, 3)} to ${decimal(to, 3)} Wh`;
  const relay = value("relay");
  return [
    ["From", length],
    [
      "Power",
      `${withUnit(value("active_power_w"), "W")}, between ${withUnit(value("power_min_w"), "W")} and ${withUnit(value("power_max_w"), "W")}`,
    ],
    ["Which is", sum],
    ["Voltage", withUnit(value("voltage_v"), "V")],
    ["Current", withUnit(value("current_a"), "A")],
    ["Power factor", decimal(value("power_factor"), 3)],
    ["Frequency", withUnit(value("frequency_hz"), "Hz")],
    ["Measured", `${decimal(measured * 100, measured < 1 ? 1 : 0)} % of ${duration(past.step)}`],
    ...(relay === null
      ? []
      : ([["Socket", relay === 1 ? "on" : relay === 0 ? "off" : "on and off"]] as [string, string][])),
  ];
}

export function historyPage(life: Lifetime): Node {
  let chosen = 3600;
  let length = chosen;
  /** `null`: until now. */
  let end: number | null = null;
  let boot: number | undefined;
  let second: Second = "voltage";
  let span: Span = { start: 0, end: 1 };
  let past: Past | null = null;
  let picked: number | null = null;
  let asked = 0;

  const note = h("p", { class: "hint", role: "status" }, "Asking the plug…");
  const problem = h("p", { class: "problem", role: "alert" });
  const title = h("span", { class: "hint span-title" });
  const origin = h("p", { class: "hint" });
  const facts = h("dl", { class: "facts" });
  const slider = h("input", { type: "range", min: 0, max: 0, step: 1, value: 0, id: "history-point" });
  const readout = h("output", { for: "history-point", class: "readout" });
  const unplaced = h("div");
  const secondTitle = h("h2", { id: "second-title" });
  const plots = pastPlots(life, {
    onPoint: (n) => show(n),
    onZoom: (from, to) => {
      length = to - from;
      end = to;
      void load();
    },
  });

  const now = async (): Promise<number | null> => {
    const reading = plug.reading.value ?? (await api.reading());
    return boot === undefined
      ? reading.time
      : (boots.find((one) => one.boot === boot)?.to_uptime_s ?? reading.uptime_s);
  };
  let boots: Unplaced[] = [];

  const show = (n: number): void => {
    if (!past) return;
    picked = n === past.time.length - 1 ? null : n;
    slider.value = String(n);
    const list = pointFacts(past, n, span);
    setText(
      readout,
      list
        .slice(0, 2)
        .map(([, text]) => text)
        .join(": "),
    );
    setAttribute(slider, "aria-valuetext", readout.textContent);
    facts.replaceChildren(...list.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
  };

  const links = [
    ["csv", "CSV"],
    ["json", "JSON"],
  ].map(
    ([format, label]) =>
      [format as string, h("a", { class: "download" }, icon(ICONS.download), label as string)] as const,
  );

  const draw = (): void => {
    if (!past) return;
    plots.draw(past, span, second);
    const { step, time } = past;
    const gaps = unmeasured(past);
    const imported = energyOf(past);
    setText(title, `${when(span.start, span)} to ${end === null ? "now" : when(span.end, span)}`);
    setText(
      note,
      [
        imported === null ? "" : `${energyText(imported)} imported.`,
        gaps > Math.max(BARELY_S, step) ? `${duration(gaps)} not measured: a gap in the line.` : "",
      ].join(" "),
    );
    setText(
      origin,
      `Each point stands for the ${duration(step)} before it. Power is what the energy counters counted in that time, divided by the time measured; the band reaches from the smallest to the largest window. Voltage, current and frequency are means.`,
    );
    for (const [format, link] of links) {
      const wish = { ...span, step, ...(format === "csv" && { format }) };
      link.href = historyPath(wish);
      link.download = `${plug.info.value?.id ?? "ossp"}-history.${format}`;
    }
    setAttribute(slider, "max", Math.max(0, time.length - 1));
    show(Math.min(picked ?? newestOf(past), time.length - 1));
    setText(secondTitle, second === "energy" ? "Energy since the left end" : LOOKS[second].label);
    setAttribute(later, "disabled", end === null);
    setAttribute(back, "hidden", end === null && length === chosen && boot === undefined);
  };

  /** With `more`, asks only for what came since. */
  const load = async (more = false): Promise<void> => {
    const mine = ++asked;
    try {
      if (!more) setText(note, "Asking the plug…");
      let until = end ?? (await now());
      if (until === null) {
        await useBoots();
        if (boot === undefined || mine !== asked) return;
        until = (await now()) ?? 0;
      }
      const wanted: Span = {
        start: Math.round(until - length),
        end: Math.round(until),
        ...(boot !== undefined && { boot }),
      };
      const known = more ? past : null;
      const from = known?.time.at(-3);
      const page = await api.history(
        known && from ? historyPath({ ...wanted, start: Math.round(from), step: known.step }) : historyPath(wanted),
      );
      if (mine !== asked || life.over) return;
      const fresh = pastOf(page);
      past = known && from ? extended(known, fresh, wanted.start) : fresh;
      span = wanted;
      if (!more) picked = null;
      listBoots(page.unplaced);
      setText(problem, "");
      draw();
    } catch (error) {
      if (mine !== asked || life.over || (more && error instanceof NoAnswer)) return;
      setText(problem, (error as Error).message);
      setText(note, "");
    }
  };

  /** The plug does not know the time: its newest start is looked at. */
  const useBoots = async (): Promise<void> => {
    const page = await api.history("/api/v1/history");
    listBoots(page.unplaced);
    boot = boots.reduce<number | undefined>((newest, one) => Math.max(newest ?? 0, one.boot), undefined);
    if (boot === undefined) setText(note, "There is no row yet: the first one comes when its interval is over.");
  };

  const listBoots = (found: Unplaced[] | undefined): void => {
    if (found) boots = found;
    const look = (one: Unplaced): void => {
      boot = one.boot;
      end = null;
      void load();
    };
    const row = (one: Unplaced): Node =>
      h(
        "li",
        {},
        h("strong", {}, `Start ${one.boot}`),
        h(
          "span",
          { class: "hint" },
          `${one.rows} rows, ${duration(one.from_uptime_s)} to ${duration(one.to_uptime_s)} after it`,
        ),
        h(
          "button",
          { "type": "button", "class": "small", "aria-label": `Look at start ${one.boot}`, "onclick": () => look(one) },
          "Look",
        ),
      );
    unplaced.replaceChildren(
      ...(boots.length === 0
        ? []
        : [
            h(
              "section",
              { "class": "card", "aria-labelledby": "unplaced-title" },
              h("h2", { id: "unplaced-title" }, "Rows without a time"),
              h(
                "p",
                { class: "hint" },
                "The plug did not know the time in these starts, so nobody can say when this was. The rows stay, and are never sent anywhere. ",
                h("a", { href: "#/settings/time" }, "Who tells the plug the time?"),
              ),
              h("ul", { class: "tokens" }, ...boots.map(row)),
            ),
          ]),
    );
  };

  const move = (direction: number) => async (): Promise<void> => {
    const newest = await now();
    if (newest === null) return;
    const to = (end ?? newest) + direction * length;
    end = to >= newest ? null : to;
    await load();
  };
  const small = (label: string, onclick: () => unknown): HTMLButtonElement =>
    h("button", { type: "button", class: "small", onclick: () => void onclick() }, label);
  const later = small("Later", move(1));
  const back = small("Until now", () => {
    length = chosen;
    end = null;
    boot = undefined;
    return load();
  });

  slider.addEventListener("input", () => {
    show(Number(slider.value));
    plots.point(Number(slider.value));
  });
  life.every(1000, () => {
    const due = Math.max(SOONEST_MS, (past?.step ?? 0) * 1000);
    if (end !== null || !past || document.hidden || plug.link.value.state === "gone" || Date.now() - loadedAt < due)
      return;
    loadedAt = Date.now();
    void load(true);
  });
  let loadedAt = Date.now();
  void load();

  return h(
    "div",
    { class: "history" },
    h("h1", {}, "History"),
    h(
      "div",
      { class: "tools" },
      segments("How much of it", LENGTHS, chosen, (value) => {
        chosen = value;
        length = value;
        void load();
      }),
      small("Earlier", move(-1)),
      later,
      back,
      title,
    ),
    problem,
    h(
      "section",
      { "class": "card", "aria-labelledby": "past-power-title" },
      h(
        "header",
        {},
        h("h2", { id: "past-power-title" }, "Power"),
        h("span", { class: "tools" }, ...links.map(([, link]) => link)),
      ),
      plots.power,
      h("div", { class: "look-at" }, h("label", { for: slider.id }, "Look at"), slider, readout),
      note,
    ),
    h(
      "section",
      { "class": "card", "aria-labelledby": secondTitle.id },
      h(
        "header",
        {},
        secondTitle,
        segments<Second>(
          "What the second picture shows",
          SECONDS.map((name) => [name, LOOKS[name].label]),
          second,
          (value) => {
            second = value;
            draw();
          },
        ),
      ),
      plots.second,
    ),
    h(
      "section",
      { "class": "card", "aria-labelledby": "point-title" },
      h("h2", { id: "point-title" }, "How this point came about"),
      facts,
      origin,
    ),
    unplaced,
  );
}

/** The last row that is there; the one after it may still be in the making. */
function newestOf({ time, of }: Past): number {
  let n = time.length - 1;
  while (n > 0 && (of.active_power_w?.[n] ?? null) === null) n--;
  return n;
}

/** Imported between the first and the last row in sight. */
function energyOf(past: Past): number | null {
  const there = (past.of.energy_import_wh ?? []).filter((value) => value !== null);
  return there.length < 2 ? null : (there.at(-1) as number) - (there[0] as number);
}
