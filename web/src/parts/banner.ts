// What needs attention, above every page. Said once by assistive technology when it appears, not at every reading.
import { desk } from "../api/client";
import { FLAG_MEMORY_MS, plug, STALE_MS } from "../api/plug";
import { h, ICONS, icon, setText } from "../lib/dom";
import { duration, sentence } from "../lib/format";
import { here } from "../lib/router";
import { flagText } from "../texts/flags";
import { alarmText } from "../texts/sources";

interface Alert {
  key: string;
  weight: "danger" | "warn" | "note";
  title: string;
  text: string;
  /** Changes every second; hidden from assistive technology. */
  ticking?: string;
  action?: { label: string; run: () => void };
  dismissible?: boolean;
}

/** How long a commanded and a measured relay may differ before it is worth a word. */
const CONTACT_MS = 2000;
const DISMISSED = "ossp-dismissed";
const dismissed = new Set<string>(remembered());
let contactDiffersSince = 0;

/** What was hidden before, in this tab. */
function remembered(): string[] {
  try {
    return sessionStorage.getItem(DISMISSED)?.split(",") ?? [];
  } catch {
    return [];
  }
}

function hide(key: string): void {
  dismissed.add(key);
  try {
    sessionStorage.setItem(DISMISSED, [...dismissed].join(","));
  } catch {
    // It comes back with the next visit, then.
  }
  update();
}

function connection(now: number): Alert[] {
  const link = plug.link.value;
  if (link.state === "gone") {
    const wait = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
    return [
      {
        key: "gone",
        weight: "danger",
        title: "The plug does not answer.",
        text: "",
        ticking: wait > 0 ? `Trying again in ${wait} s.` : "Trying again now.",
        action: { label: "Try now", run: () => plug.retryNow() },
      },
    ];
  }
  if (plug.info.value?.safe_mode) return []; // It says so itself.
  if (link.state !== "closed" && plug.receivedAt > 0 && now - plug.receivedAt > STALE_MS) {
    const text = "It answers, but its newest reading is the one shown.";
    return [{ key: "idle", weight: "danger", title: "The plug does not measure.", text }];
  }
  if (link.state === "polling" && !desk.cookieless) {
    const text = "All its live streams are in use, so this page asks for a reading every 2 seconds.";
    return [{ key: "polling", weight: "note", title: "The plug is busy.", text }];
  }
  return [];
}

const left = (seconds: number, now: number): string => duration(seconds - (now - plug.relayAt) / 1000);

/** A button that leads to a page. */
const to = (label: string, path: string): NonNullable<Alert["action"]> => ({
  label,
  run: () => {
    location.hash = `#/${path}`;
  },
});
const toControl = (label: string): NonNullable<Alert["action"]> => to(label, "control");

/** For whoever comes back to a plug that tried a network meanwhile, or that nobody gave one. */
function network(): Alert[] {
  const { available, networks = [], test } = plug.wifi.value ?? {};
  if (!available || plug.who.value !== "in" || here()[0] === "network") return [];
  const note = (key: string, title: string, text: string, label: string): Alert[] => [
    { key, weight: "note", title, text, action: to(label, "network"), dismissible: true },
  ];
  if (test?.state === "running") return note("trial", `It tries “${test.ssid}”.`, "", "Look…");
  if (test?.state === "succeeded")
    return note("keep", `It works in “${test.ssid}”.`, "It goes back unless somebody says to keep it.", "Keep it…");
  if (test?.state === "failed") return note("failed", `“${test.ssid}” was not joined.`, test.message ?? "", "Look…");
  const text = "It is reached by its own access point only.";
  return networks.length > 0 ? [] : note("alone", "It knows no network.", text, "Join one…");
}

function safeMode(): Alert[] {
  if (!plug.info.value?.safe_mode || here()[0] === "update") return [];
  const text = "It crashed again and again: only network, sign-in and update run, and the socket is in its safe state.";
  return [{ key: "safe", weight: "danger", title: "Safe mode.", text, action: to("Update…", "update") }];
}

/** The page of the first minutes says it by itself. */
function owner(): Alert[] {
  if (plug.who.value !== "first" || location.hash !== "#/look") return [];
  const text = "It can be read by everybody, and nothing can be changed until it is set up.";
  return [{ key: "first", weight: "warn", title: "This plug has no owner.", text, action: to("Set it up", "") }];
}

function relay(now: number): Alert[] {
  const status = plug.relay.value;
  if (!status) return [];
  const found: Alert[] = [];
  if (status.locked_out) {
    const retries = typeof status.retry_in_s === "number";
    const after = retries ? "" : " The socket stays off until somebody re-arms it.";
    found.push({
      key: "locked",
      weight: "danger",
      title: "Protection has switched off.",
      text: `${sentence(status.trip?.cause ?? status.reason)}${after}`,
      ticking: retries ? ` Tries again by itself in ${left(status.retry_in_s as number, now)}.` : "",
      action: toControl("Re-arm…"),
    });
  }
  if (status.alarm) {
    const welded = status.alarm.kind === "welded";
    const advice = "Nothing in this plug can switch the load off now: pull the plug and have it looked at.";
    found.push({
      key: "alarm",
      weight: "danger",
      title: alarmText(status.alarm.kind),
      text: `${sentence(status.alarm.cause)}${welded ? ` ${advice}` : ""}`,
      action: toControl("Look…"),
    });
  }
  const differs = status.measured !== null && status.measured !== status.on;
  // Between what the plug tells, not until now: while it restarts, or nobody hears it, nothing new is known.
  contactDiffersSince = differs ? contactDiffersSince || plug.relayAt : 0;
  if (differs && !status.alarm && plug.relayAt - contactDiffersSince > CONTACT_MS) {
    const is = status.measured ? "closed" : "open";
    const text = `It was told to be ${status.on ? "closed" : "open"}, and its contact is ${is}. Pull the plug and have it looked at.`;
    found.push({ key: "contact", weight: "danger", title: "The relay does not obey.", text });
  }
  return found;
}

function quality(): Alert[] {
  if (plug.who.value === "first" && location.hash !== "#/look") return []; // First things first.
  const seen = [...plug.flagSeen]
    .filter(([, at]) => plug.receivedAt - at < FLAG_MEMORY_MS)
    .map(([name]) => name)
    // Without voltage there are no cycles either: one of them is enough.
    .filter((name, _, all) => name !== "no_sync" || !all.includes("no_voltage"));
  const found: Alert[] = seen
    .filter((name) => flagText(name).weight === "warn")
    .map((name) => ({ key: name, weight: "warn", title: `${flagText(name).label}.`, text: flagText(name).meaning }));
  if (seen.includes("uncalibrated")) {
    const { label, meaning } = flagText("uncalibrated");
    found.push({ key: "uncalibrated", weight: "note", title: `${label}.`, text: meaning, dismissible: true });
  }
  return found;
}

function program(): Alert[] {
  if (!plug.updated.value) return [];
  const action = { label: "Reload", run: () => location.reload() };
  const text = "This page belongs to the former version.";
  return [{ key: "updated", weight: "note", title: "The plug runs another version now.", text, action }];
}

function build(alert: Alert): HTMLElement {
  const dismiss = (): void => hide(alert.key);
  return h(
    "div",
    { class: `alert ${alert.weight}` },
    h(
      "p",
      {},
      h("strong", {}, alert.title),
      " ",
      h("span", {}, alert.text),
      h("span", { "class": "ticking", "aria-hidden": "true" }),
    ),
    alert.action && h("button", { type: "button", class: "small", onclick: alert.action.run }, alert.action.label),
    alert.dismissible &&
      h(
        "button",
        { "type": "button", "class": "plain", "aria-label": `Hide: ${alert.title}`, "onclick": dismiss },
        icon(ICONS.close),
      ),
  );
}

const urgent = h("div", { role: "alert" });
const calm = h("div", { role: "status" });
const shown = new Map<string, { element: HTMLElement; text: string }>();

function update(): void {
  const now = Date.now();
  const alerts = [
    ...connection(now),
    ...owner(),
    ...safeMode(),
    ...relay(now),
    ...network(),
    ...quality(),
    ...program(),
  ].filter((a) => !dismissed.has(a.key));
  for (const [key, { element }] of shown) {
    if (alerts.some((alert) => alert.key === key)) continue;
    element.remove();
    shown.delete(key);
  }
  for (const alert of alerts) {
    let entry = shown.get(alert.key);
    if (!entry || entry.text !== alert.text) {
      const element = build(alert);
      if (entry) entry.element.replaceWith(element);
      else (alert.weight === "danger" ? urgent : calm).append(element);
      entry = { element, text: alert.text };
      shown.set(alert.key, entry);
    }
    const ticking = entry.element.querySelector(".ticking");
    if (ticking) setText(ticking, alert.ticking ?? "");
  }
}

export function banner(): HTMLElement {
  plug.link.watch(update);
  plug.who.watch(update);
  plug.relay.watch(update);
  plug.updated.watch(update);
  plug.wifi.watch(update);
  plug.reading.watch(update);
  setInterval(update, 500);
  return h("div", { class: "banner" }, urgent, calm);
}
