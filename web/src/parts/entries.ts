// The entries of the weekly schedule as rows to edit, and the week that they make.
import { type Child, h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import type { Control } from "../lib/form";
import { type At, DAYS, type Entry, formatAt, parseAt, weekBars } from "../lib/week";
import { segments } from "./segments";

/** As many as the plug keeps. */
const MOST = 16;
const DAY_NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FULL_NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

interface Row {
  node: HTMLElement;
  take: () => Entry;
  refuse: (name: string, message: string) => HTMLElement;
  clear: () => void;
  number: (n: number) => void;
}

let count = 0;

function makeRow(entry: Entry, remove: () => void): Row {
  const id = `entry-${++count}`;
  const at = parseAt(entry.at);
  let on = entry.on;
  const tell = (): boolean => node.dispatchEvent(new Event("input", { bubbles: true }));

  const enabled = h("input", { type: "checkbox", class: "toggle", role: "switch", checked: entry.enabled });
  const kind = h(
    "select",
    { "aria-label": "Kind of time" },
    ...[
      ["clock", "o’clock"],
      ["sunrise", "sunrise"],
      ["sunset", "sunset"],
    ].map(([value, label]) => h("option", { value, selected: value === at.kind }, label)),
  );
  const time = h("input", {
    "type": "time",
    "aria-label": "Time",
    "value": at.kind === "clock" ? at.time : "12:00",
    "step": at.kind === "clock" && at.time.length > 5 ? 1 : 60,
    "aria-describedby": `${id}-error`,
  });
  const offset = at.kind === "clock" ? 0 : at.minutes;
  const minutes = h("input", {
    "type": "number",
    "min": 0,
    "step": 1,
    "value": Math.abs(offset),
    "inputmode": "numeric",
    "aria-label": "Minutes before or after it",
    "aria-describedby": `${id}-error`,
  });
  const side = h(
    "select",
    { "aria-label": "Before or after" },
    h("option", { value: 1 }, "min after"),
    h("option", { value: -1, selected: offset < 0 }, "min before"),
  );
  const random = h("input", {
    "type": "number",
    "min": 0,
    "step": 1,
    "value": entry.random_s,
    "inputmode": "numeric",
    "aria-label": "Random, up to so many seconds later",
    "aria-describedby": `${id}-error`,
  });
  const days = DAYS.map((name, n) =>
    h("input", {
      "type": "checkbox",
      "value": name,
      "checked": entry.days.includes(name),
      "aria-label": FULL_NAMES[n],
    }),
  );
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
  const legend = h("legend", { class: "visually-hidden" });
  const taken = (): At => {
    if (kind.value !== "sunrise" && kind.value !== "sunset") return { kind: "clock", time: time.value };
    return { kind: kind.value, minutes: Number(minutes.value) * Number(side.value) };
  };
  const follow = (): void => {
    const clock = kind.value === "clock";
    setAttribute(time, "hidden", !clock);
    setAttribute(minutes, "hidden", clock);
    setAttribute(side, "hidden", clock);
    setAttribute(node, "data-off", !enabled.checked);
  };

  const node = h(
    "fieldset",
    { class: "entry-row", oninput: () => follow() },
    legend,
    h("label", { class: "entry-enabled" }, enabled, h("span", { class: "visually-hidden" }, "Entry is in use")),
    segments<string>(
      "What it becomes",
      [
        ["on", "On"],
        ["off", "Off"],
      ],
      on ? "on" : "off",
      (value) => {
        on = value === "on";
        tell();
      },
    ),
    h("span", { class: "entry-time" }, time, minutes, side, kind),
    h(
      "span",
      { "class": "days", "role": "group", "aria-label": "Days" },
      ...days.map((day, n) =>
        h("label", { title: FULL_NAMES[n] }, day, h("span", { "aria-hidden": "true" }, DAY_NAMES[n]?.slice(0, 2))),
      ),
    ),
    h("label", { class: "entry-random" }, "random ", random, h("span", { class: "unit" }, "s")),
    h(
      "button",
      { "type": "button", "class": "plain", "aria-label": "Remove this entry", "onclick": remove },
      icon(ICONS.close),
    ),
    error,
  );
  follow();
  // What was not touched stays as it came, also where it has seconds that the inputs do not show.
  const shown = formatAt(taken());
  const inputs = (): Record<string, HTMLElement> => ({
    at: kind.value === "clock" ? time : minutes,
    days: days[0] as HTMLElement,
    random_s: random,
  });
  return {
    node,
    take: () => ({
      enabled: enabled.checked,
      days: days.filter((day) => day.checked).map((day) => day.value),
      at: formatAt(taken()) === shown ? entry.at : formatAt(taken()),
      on,
      random_s: Number(random.value),
    }),
    refuse(name, message) {
      setText(error, [error.textContent, message].filter(Boolean).join(" "));
      const input = inputs()[name] ?? enabled;
      setAttribute(input, "aria-invalid", "true");
      return input;
    },
    clear() {
      setText(error, "");
      for (const input of [time, minutes, ...days, random]) setAttribute(input, "aria-invalid", null);
    },
    number: (n) => setText(legend, `Entry ${n}`),
  };
}

/** What the plug means by an entry that leaves something out. */
function complete(entry: Partial<Entry>): Entry {
  const { enabled = true, days = [...DAYS], at = "12:00", on = true, random_s = 0 } = entry;
  return { enabled, days, at, on, random_s };
}

export function entriesControl(): Control {
  let rows: Row[] = [];
  const list = h("div", { class: "entries" });
  const none = h("p", { class: "hint" }, "There are no entries yet.");
  const error = h("p", { class: "field-error", role: "alert" });
  // Not before the settings are there, which would take it away again.
  const add = h("button", { type: "button", class: "small", disabled: true }, "Add an entry");
  const picture = h("figure", { class: "week" });
  const node = h(
    "div",
    { "class": "schedule-entries", "data-field": "schedule.entries" },
    list,
    none,
    error,
    h("p", { class: "tools" }, add),
    picture,
  );

  const follow = (): void => {
    rows.forEach((row, n) => row.number(n + 1));
    setAttribute(none, "hidden", rows.length > 0);
    setAttribute(add, "disabled", rows.length >= MOST);
    setText(add, rows.length >= MOST ? `${MOST} entries are all there is room for` : "Add an entry");
    picture.replaceChildren(...weekPicture(rows.map((row) => row.take())));
  };
  const append = (entry: Entry): Row => {
    const row = makeRow(entry, () => {
      const n = rows.indexOf(row);
      rows.splice(n, 1);
      row.node.remove();
      (rows[Math.min(n, rows.length - 1)]?.node.querySelector("input") ?? add).focus();
      node.dispatchEvent(new Event("input", { bubbles: true }));
    });
    rows.push(row);
    list.append(row.node);
    return row;
  };
  add.addEventListener("click", () => {
    const row = append(complete(rows.at(-1)?.take() ?? { at: "07:00" }));
    row.node.querySelector("select")?.focus();
    node.dispatchEvent(new Event("input", { bubbles: true }));
  });
  node.addEventListener("input", follow);

  return {
    path: "schedule.entries",
    node,
    set(value) {
      rows = [];
      list.replaceChildren();
      for (const entry of Array.isArray(value) ? value : []) append(complete(entry as Partial<Entry>));
      follow();
    },
    take() {
      const at = rows.findIndex((row) => row.take().at === "");
      if (at < 0) return { value: rows.map((row) => ({ ...row.take() })) };
      rows[at]?.refuse("at", "Give a time.");
      return { problem: `Entry ${at + 1} has no time.` };
    },
    refuse(path, message) {
      const [, n, name = ""] = path.match(/^schedule\.entries\.(\d+)\.?(.*)$/) ?? [];
      const row = n === undefined ? undefined : rows[Number(n)];
      if (row) return row.refuse(name, message);
      setText(error, message);
      return rows[0]?.node.querySelector("input") ?? add;
    },
    clear() {
      setText(error, "");
      for (const row of rows) row.clear();
    },
  };
}

const SVG = "http://www.w3.org/2000/svg";
const LINE = 22;
const LEFT = 44;

function shape(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Seven rows of a day each, with bars where the schedule has the socket on. */
function weekPicture(entries: Entry[]): Node[] {
  if (!entries.some((entry) => entry.enabled && entry.days.length > 0)) return [];
  const bars = weekBars(entries);
  // On a phone narrower, so that the letters stay as large.
  const width = innerWidth < 600 ? 330 : 800;
  const scale = (width - LEFT - 8) / 1440;
  const height = 7 * LINE + 18;
  const minutes = bars.reduce((sum, bar) => sum + bar.to - bar.from, 0);
  const label = `The week: on for ${Math.round(minutes / 60)} of 168 hours.`;
  const svg = shape("svg", { "viewBox": `0 0 ${width} ${height}`, "role": "img", "aria-label": label });
  for (let hour = 0; hour <= 24; hour += 6) {
    const x = LEFT + hour * 60 * scale;
    svg.append(shape("line", { x1: x, x2: x, y1: 0, y2: 7 * LINE, class: "rule" }));
    svg.append(
      shape(
        "text",
        { x, "y": height - 3, "class": "hour", "text-anchor": hour === 24 ? "end" : "middle" },
        `${hour}:00`,
      ),
    );
  }
  for (const [day, name] of DAY_NAMES.entries()) {
    svg.append(shape("text", { x: 0, y: day * LINE + 15 }, name));
    svg.append(shape("rect", { x: LEFT, y: day * LINE + 4, width: 1440 * scale, height: LINE - 8, class: "day" }));
  }
  for (const { day, from, to } of bars) {
    const long = Math.max(1, (to - from) * scale);
    svg.append(
      shape("rect", { x: LEFT + from * scale, y: day * LINE + 4, width: long, height: LINE - 8, class: "on" }),
    );
  }
  const sun = entries.some((entry) => entry.enabled && entry.at.startsWith("sun"));
  const note: Child = sun ? " Sunrise and sunset are drawn at 6:00 and 18:00; the plug reckons them for each day." : "";
  return [
    svg as Node,
    h("figcaption", { class: "hint" }, `${label} By the schedule alone, without random delays.`, note),
  ];
}
