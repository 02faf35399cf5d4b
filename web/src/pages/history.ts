// History: the plug's own log as pictures, how each point came about, and as files.
import { api, historyPath, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { HistoryPage } from "../api/types";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import { decimal, duration, moment, withUnit } from "../lib/format";
import { extended, originOf, type Past, pastOf, type Span, unmeasured } from "../lib/past";
import { Range } from "../lib/range";
import type { Lifetime } from "../lib/signal";
import { flagText } from "../texts/flags";
import { LOOKS } from "../parts/looks";
import { pastPlots, type Second } from "../parts/pastplots";
import { segments } from "../parts/segments";
import { energyText } from "./energy";

const HOUR_S = 3600;
const LENGTHS: [number, string][] = [
  [HOUR_S, "Hour"],
  [86_400, "Day"],
  [604_800, "Week"],
];
const SECONDS: Second[] = ["voltage", "current", "energy", "frequency"];
/** A picture that ends now is asked for what is new, not more often than this. */
const SOONEST_MS = 10_000;

type Unplaced = NonNullable<HistoryPage["unplaced"]>[number];

/** A moment on the axis of the picture. */
const when = (at: number, span: Span): string =>
  span.boot === undefined ? moment(at) : `${duration(at)} after start ${span.boot}`;

/** Everything about one point, as terms and words. */
export function pointFacts(past: Past, n: number, span: Span): [string, string][] {
  const value = (name: string): number | null => past.of[name]?.[n] ?? null;
  const end = past.time[n] ?? 0;
  const interval = value("interval_s") ?? past.step;
  const length = `${when(end - interval, span)} to ${when(end, span)}`;
  const measured = value("measured");
  if (!measured)
    return [
      ["From", length],
      ["Gap", "nothing was measured: the plug was off, or its log does not reach there"],
    ];
  const { from, to, energy } = originOf(past, n);
  const hours = `${decimal(interval * measured, 0)} s measured`;
  const sum =
    energy === null
      ? "the mean of what the log has for this time"
      : `${withUnit(energy, "Wh")} counted in ${hours}: the counter went from ${decimal(from, 3)} to ${decimal(to, 3)} Wh`;
  const relay = value("relay");
  const flags = (past.flags[n] ?? "").split(" ").filter(Boolean);
  const list: [string, string | null][] = [
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
    ["Measured", `${decimal(measured * 100, measured < 1 ? 1 : 0)} % of ${duration(interval)}`],
    ["Socket", relay === null ? null : relay === 1 ? "on" : "off"],
    ["Flags", flags.map((flag) => flagText(flag).label).join(", ")],
  ];
  return list.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

/** Starts of the plug whose rows have no place in the picture. */
function bootsCard(boots: Unplaced[], look: (boot: number) => void): HTMLElement {
  const row = ({ boot, rows, from_uptime_s: from, to_uptime_s: to }: Unplaced): Node =>
    h(
      "li",
      {},
      h("strong", {}, `Start ${boot}`),
      h("span", { class: "hint" }, `${rows} rows, ${duration(from)} to ${duration(to)} after it`),
      h(
        "button",
        { "type": "button", "class": "small", "aria-label": `Look at start ${boot}`, "onclick": () => look(boot) },
        "Look",
      ),
    );
  return h(
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
  );
}

interface Reader {
  slider: HTMLInputElement;
  readout: HTMLElement;
  card: HTMLElement;
  show: (past: Past, span: Span, n: number) => void;
}

/** What reads single points: a slider, a line beside it, and all there is to say. */
function pointReader(pick: (n: number) => void): Reader {
  const slider = h("input", { type: "range", min: 0, max: 0, step: 1, value: 0, id: "history-point" });
  const readout = h("output", { for: slider.id, class: "readout" });
  const facts = h("dl", { class: "facts" });
  const origin = h("p", { class: "hint" });
  slider.addEventListener("input", () => pick(Number(slider.value)));
  return {
    slider,
    readout,
    card: h(
      "section",
      { "class": "card", "aria-labelledby": "point-title" },
      h("h2", { id: "point-title" }, "How this point came about"),
      facts,
      origin,
    ),
    show(past, span, n) {
      setAttribute(slider, "max", Math.max(0, past.time.length - 1));
      slider.value = String(n);
      const list = pointFacts(past, n, span);
      const [from, what] = list.map(([, text]) => text);
      setText(readout, `${from}: ${what}`);
      setAttribute(slider, "aria-valuetext", readout.textContent);
      facts.replaceChildren(...list.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
      setText(
        origin,
        `Each point stands for the ${duration(past.step)} before it. Power, voltage, current and frequency are means over the time measured; the band reaches from the smallest to the largest window. The counters are read at the ends of windows.`,
      );
    },
  };
}

/** The picture as files. */
function downloads(): { links: HTMLElement[]; lead: (span: Span, step: number) => void } {
  const made = [
    ["csv", "CSV"],
    ["json", "JSON"],
  ].map(([format, label]): [string, HTMLAnchorElement] => [
    format as string,
    h("a", { class: "download" }, icon(ICONS.download), label as string),
  ]);
  return {
    links: made.map(([, link]) => link),
    lead(span, step) {
      for (const [format, link] of made) {
        link.href = historyPath({ ...span, step, ...(format === "csv" && { format }) });
        link.download = `${plug.info.value?.id ?? "ossp"}-history.${format}`;
      }
    },
  };
}

/** A button that is not the main thing. */
const small = (label: string, onclick: () => unknown): HTMLButtonElement =>
  h("button", { type: "button", class: "small", onclick: () => void onclick() }, label);

export function historyPage(life: Lifetime): Node {
  const range = new Range(HOUR_S);
  let second: Second = "voltage";
  let span: Span = { start: 0, end: 1 };
  let past: Past | null = null;
  /** The time of the point that is looked at; `null`: the newest. */
  let picked: number | null = null;
  let asked = 0;
  let loadedAt = 0;
  let boots: Unplaced[] = [];

  const note = h("p", { class: "hint", role: "status" }, "Asking the plug…");
  const problem = h("p", { class: "problem", role: "alert" });
  const title = h("span", { class: "hint" });
  const unplaced = h("div");
  const secondTitle = h("h2", { id: "second-title" });
  const files = downloads();
  const pick = (n: number): void => {
    if (!past) return;
    picked = n < newestOf(past) ? (past.time[n] ?? null) : null;
    reader.show(past, span, n);
  };
  const reader = pointReader((n) => {
    pick(n);
    plots.point(n);
  });
  const plots = pastPlots(life, {
    onPoint: pick,
    onZoom(from, to) {
      range.zoom(from, to);
      void load();
    },
  });

  const now = async (): Promise<number | null> => {
    const reading = plug.reading.value ?? (await api.reading());
    if (range.instead && reading.time !== null) range.look(undefined);
    if (range.boot === undefined) return reading.time;
    const last = boots.find(({ boot }) => boot === range.boot)?.to_uptime_s ?? 0;
    return range.instead ? Math.max(last, reading.uptime_s) : last;
  };

  const draw = (): void => {
    if (!past) return;
    plots.draw(past, span, second);
    setText(note, sumOf(past));
    setText(title, `${when(span.start, span)} to ${range.end === null ? "now" : when(span.end, span)}`);
    setText(secondTitle, second === "energy" ? "Energy since the left end" : LOOKS[second].label);
    files.lead(span, past.step);
    const at = picked === null ? -1 : past.time.indexOf(picked);
    reader.show(past, span, at < 0 ? newestOf(past) : at);
    setAttribute(later, "disabled", range.end === null);
    setAttribute(back, "hidden", range.plain);
  };

  /** With `more`, asks only for what came since. */
  const load = async (more = false): Promise<void> => {
    const mine = ++asked;
    loadedAt = Date.now();
    const before = range.boot;
    try {
      if (!more) setText(note, "Asking the plug…");
      const until = range.end ?? (await now()) ?? (await useBoots());
      if (mine !== asked || until === null) return;
      const wanted = range.span(until);
      const known = more && range.boot === before ? past : null;
      const from = known?.time.at(-3);
      const page = await api.history(
        historyPath(known && from !== undefined ? { ...wanted, start: Math.round(from), step: known.step } : wanted),
      );
      if (mine !== asked || life.over) return;
      const fresh = pastOf(page);
      past = known && from !== undefined ? extended(known, fresh, wanted.start) : fresh;
      span = wanted;
      if (!more) picked = null;
      listBoots(page.unplaced);
      setText(problem, "");
      draw();
    } catch (error) {
      if (mine !== asked || life.over || (more && error instanceof NoAnswer)) return;
      past = null; // Next time all of it: the log may have another interval now.
      setText(problem, (error as Error).message);
      setText(note, "");
    }
  };

  /** The plug does not know the time: its newest start is looked at. */
  const useBoots = async (): Promise<number | null> => {
    listBoots((await api.history("/api/v1/history")).unplaced);
    const newest = boots.reduce<Unplaced | null>((found, one) => (one.boot > (found?.boot ?? -1) ? one : found), null);
    if (!newest) setText(note, "There is no row yet: the first one comes when its interval is over.");
    range.look(newest?.boot, true);
    return newest?.to_uptime_s ?? null;
  };

  const listBoots = (found: Unplaced[] | undefined): void => {
    if (!found) return;
    boots = found;
    // Not under the finger of whoever is at it.
    if (unplaced.contains(document.activeElement)) return;
    const look = (boot: number): void => {
      range.look(boot);
      void load();
    };
    unplaced.replaceChildren(...(boots.length > 0 ? [bootsCard(boots, look)] : []));
  };

  const move = (direction: number) => async (): Promise<void> => {
    const newest = await now();
    if (newest === null) return;
    range.move(direction, newest);
    await load();
  };
  const later = small("Later", move(1));
  setAttribute(later, "disabled", true);
  const back = small("Until now", () => {
    range.reset();
    return load();
  });
  setAttribute(back, "hidden", true);
  life.every(1000, () => {
    const due = loadedAt + Math.max(SOONEST_MS, (past?.step ?? 0) * 1000);
    const wanted = range.end === null && !document.hidden && plug.link.value.state !== "gone";
    if (wanted && Date.now() >= due) void load(past !== null);
  });
  void load();

  const lengths = segments("How much of it", LENGTHS, HOUR_S, (value) => {
    range.choose(value);
    void load();
  });
  const names = SECONDS.map((name): [Second, string] => [name, LOOKS[name].label]);
  const seconds = segments<Second>("What the second picture shows", names, second, (value) => {
    second = value;
    draw();
  });
  const powerTitle = h("h2", { id: "past-power-title" }, "Power");
  return h(
    "div",
    { class: "history" },
    h("h1", {}, "History"),
    h("div", { class: "tools" }, lengths, small("Earlier", move(-1)), later, back, title),
    problem,
    h(
      "section",
      { "class": "card", "aria-labelledby": powerTitle.id },
      h("header", {}, powerTitle, h("span", { class: "tools" }, ...files.links)),
      plots.power,
      h("div", { class: "look-at" }, h("label", { for: reader.slider.id }, "Look at"), reader.slider, reader.readout),
      note,
    ),
    h(
      "section",
      { "class": "card", "aria-labelledby": secondTitle.id },
      h("header", {}, secondTitle, seconds),
      plots.second,
    ),
    reader.card,
    unplaced,
  );
}

/** The last row that is there; the one after it may still be in the making. */
function newestOf({ time, of }: Past): number {
  let n = time.length - 1;
  while (n > 0 && (of.active_power_w?.[n] ?? null) === null) n--;
  return n;
}

/** What was imported between the first and the last row in sight, and how long nothing was measured. */
function sumOf(past: Past): string {
  const there = (past.of.energy_import_wh ?? []).filter((value) => value !== null);
  const gaps = unmeasured(past, newestOf(past));
  const parts = [
    there.length > 1 && `${energyText((there.at(-1) as number) - (there[0] as number))} imported.`,
    gaps >= past.step && `${duration(gaps)} not measured: a gap in the line.`,
  ];
  return parts.filter(Boolean).join(" ");
}
