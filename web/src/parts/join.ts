// A network is chosen, tried and kept: the last step of the set-up, and the network page. It has to work in the browser of a
// captive portal, which knows no dialogs, and over an access point that goes away for a moment while the plug tries.
import { api, NoAnswer, Refused } from "../api/client";
import { net } from "../api/net";
import { plug } from "../api/plug";
import type { FoundNetwork, NetworkWish, Wifi, WifiTest } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { type Field, Form } from "../lib/form";
import { duration, sentence } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { aboutNetwork, STEPS, signal, silence, trialWarning } from "../texts/network";

const EVERY_MS = 1500;

const FIELDS: Field[] = [
  { path: "ssid", kind: "text", label: "Its name (SSID)", help: "As the network calls itself, capitals too." },
  {
    path: "hidden",
    kind: "switch",
    label: "It hides its name",
    help: "The plug then calls it by name, for all to hear. Off if it was only not heard just now.",
  },
  { path: "password", kind: "secret", label: "Its password", help: "Empty for an open network." },
];
const ADDRESS: Field[] = [
  {
    path: "ip",
    kind: "text",
    label: "Fixed address",
    help: "Such as 192.168.1.50. Empty: the network gives one, which is right nearly everywhere.",
  },
  { path: "prefix", kind: "number", label: "Prefix", help: "24 is a mask of 255.255.255.0." },
  { path: "gateway", kind: "text", label: "Gateway", help: "The router; empty: none." },
  { path: "dns", kind: "text", label: "Name server", help: "Empty: none." },
];
const HOST: Field = {
  path: "host",
  kind: "text",
  label: "Host name",
  help: "Letters, digits and hyphens; with “.local” behind it is the plug's address. Empty: ossp- and the end of its identity.",
};

export interface JoinOptions {
  /** The name that the access point gets, where it is about to get another. */
  own?: string | undefined;
  /** Asks for the host name too; called before a network is tried with it. */
  setHost?: (host: string) => Promise<unknown>;
  /** A network was kept. */
  kept?: () => void;
  /** What leads on after that; otherwise another network can be joined. */
  after?: HTMLElement;
}

/** Of settings that were refused, the names that the inputs here have. */
const own = (error: unknown): { field: string; message: string }[] =>
  (error instanceof Refused ? error.fields : []).map((one) => ({
    ...one,
    field: one.field.replace(/^(wifi|device)\./, "").replace(/^address\./, ""),
  }));

/** An address to copy: links do nothing in some of these browsers. */
const address = (host: string): Node =>
  h("code", { class: "curl" }, `http://${host}${location.port && `:${location.port}`}/`);

function facts(rows: [string, (string | null | undefined)[]][]): Node {
  return h(
    "dl",
    { class: "facts" },
    ...rows.map(([term, hosts]) => {
      const found = hosts.filter((host): host is string => Boolean(host));
      const list = found.flatMap((host, n) => (n > 0 ? [" or ", address(host)] : [address(host)]));
      return found.length > 0 && h("div", {}, h("dt", {}, term), h("dd", {}, ...list));
    }),
  );
}

function bars(dbm: number): Node {
  const [strong] = signal(dbm);
  const all = "▂▄▆█";
  return h("span", { "class": "strength", "aria-hidden": "true" }, all.slice(0, strong), h("i", {}, all.slice(strong)));
}

/** How far a trial came. */
function steps({ state, step }: WifiTest): Node {
  const at = state === "running" || state === "failed" ? STEPS.findIndex(([name]) => name === step) : STEPS.length;
  return h(
    "ol",
    { class: "tried" },
    ...STEPS.map(([, words], n) => {
      const how = n < at ? "done" : n > at ? "to come" : state === "failed" ? "failed" : "now";
      const mark = { "done": "✓", "to come": "·", "failed": "✗", "now": "…" }[how];
      const hint = how === "to come" ? null : h("span", { class: "visually-hidden" }, ` (${how})`);
      return h("li", { "data-how": how }, h("span", { "aria-hidden": "true" }, mark), ` ${words}`, hint);
    }),
  );
}

/** The list to choose from; `chosen` hears the network, or `null` for one that hides. */
function picker(
  life: Lifetime,
  chosen: (network: FoundNetwork | null) => void,
): { node: HTMLElement; look: () => void } {
  const list = h("div", { "class": "networks", "role": "radiogroup", "aria-label": "Networks in range" });
  const state = h("span", { class: "hint", role: "status" });
  const again = h("button", { type: "button", class: "small", onclick: () => void look() }, "Look again");
  let ssid: string | null | undefined;
  const row = (network: FoundNetwork | null, text: string, about: string, hint?: Node): Node => {
    const choose = (): void => {
      ssid = network?.ssid ?? null;
      chosen(network);
    };
    const input = h("input", {
      type: "radio",
      name: "network",
      disabled: network?.joinable === false,
      checked: ssid !== undefined && ssid === (network?.ssid ?? null),
      onchange: choose,
    });
    return h("label", {}, input, h("strong", {}, text), h("span", { class: "hint" }, hint ?? null, ` ${about}`));
  };
  const look = async (): Promise<void> => {
    setAttribute(again, "disabled", true);
    setText(state, "Looking for networks…");
    try {
      const { networks, hidden } = await net.scan();
      if (life.over) return;
      const count = hidden > 0 ? `${hidden} in range ${hidden === 1 ? "hides its name" : "hide their names"}.` : "";
      list.replaceChildren(
        ...networks.map((one) => row(one, one.ssid, aboutNetwork(one), bars(one.signal_dbm))),
        row(null, "Another one", `by its name. ${count}`),
      );
      setText(state, networks.length > 0 ? "" : "None found.");
    } catch (error) {
      if (list.childElementCount === 0) list.replaceChildren(row(null, "Another one", "by its name."));
      setText(state, (error as Error).message);
    } finally {
      setAttribute(again, "disabled", false);
    }
  };
  const node = h("div", {}, list, h("p", { class: "tools" }, again, state));
  return { node, look: () => void look() };
}

/** What was typed, as the plug wants it. */
function wish(form: Form, network: FoundNetwork | null): NetworkWish {
  const text = (path: string): string => {
    const taken = form.at(path)?.take();
    return taken && "value" in taken ? String(taken.value ?? "").trim() : "";
  };
  const password = form.at("password")?.take();
  const secret = password && "value" in password ? String(password.value ?? "") : "";
  const hides = form.at("hidden")?.take();
  const ip = text("ip");
  return {
    ssid: network?.ssid ?? text("ssid"),
    password: network?.security === "open" ? null : secret || null,
    hidden: network === null && hides !== undefined && "value" in hides && hides.value === true,
    address: ip
      ? { ip, prefix: Number(text("prefix")), gateway: text("gateway") || null, dns: text("dns") || null }
      : null,
  };
}

interface NetworkForm {
  node: HTMLElement;
  /** Shows it, and what is in range. */
  open: () => void;
  warn: (words: string) => void;
}

/** What to try; `tried` hears what the plug began. */
function networkForm(life: Lifetime, setHost: JoinOptions["setHost"], tried: (test: WifiTest) => void): NetworkForm {
  const form = new Form();
  const inputs = h("div", { class: "fields" }, ...form.rows(FIELDS));
  const rows = h("div", { class: "fields" }, ...form.rows(setHost ? [...ADDRESS, HOST] : ADDRESS));
  const more = h("details", { class: "as-table" }, h("summary", {}, "More"), rows);
  const problem = h("p", { class: "problem", role: "alert" });
  const warning = h("p", { class: "hint" });
  const submit = h("button", { type: "submit" }, "Try it");
  const rest = h("div", { hidden: true }, inputs, more, warning, problem, h("p", { class: "tools" }, submit));
  form.load({ ssid: "", hidden: true, password: "", ip: "", prefix: 24, gateway: "", dns: "", host: "" });
  const clear = (): void => {
    for (const control of form.controls) control.clear();
    setText(problem, "");
  };
  let network: FoundNetwork | null = null;
  const { node: list, look } = picker(life, (found) => {
    network = found;
    clear();
    setAttribute(rest, "hidden", false);
    for (const path of ["ssid", "hidden"]) setAttribute(form.at(path)?.node as Element, "hidden", found !== null);
    setAttribute(form.at("password")?.node as Element, "hidden", found?.security === "open");
  });
  const send = async (): Promise<void> => {
    const asked = wish(form, network);
    if (asked.ssid === "") {
      form.refuse([{ field: "ssid", message: "Give its name." }]);
      return;
    }
    setAttribute(submit, "disabled", true);
    try {
      const host = form.at("host")?.take();
      if (host && "value" in host && host.value) await setHost?.(String(host.value));
      const test = await net.test(asked);
      if (test) tried(test);
    } catch (error) {
      const others = form.refuse(own(error)).map((one) => ` ${one.field}: ${one.message}.`);
      if (more.querySelector("[aria-invalid]")) more.open = true;
      setText(problem, `${(error as Error).message}${others.join("")}`);
    } finally {
      setAttribute(submit, "disabled", false);
    }
  };
  const node = h("form", { novalidate: true, hidden: true }, list, rest);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    clear();
    void send();
  });
  return {
    node,
    open() {
      setAttribute(node, "hidden", false);
      if (list.querySelector("label") === null) look();
    },
    warn: (words) => setText(warning, words),
  };
}

const headline = (text: string, mood: string): Node => h("p", { "class": "uplink-state", "data-mood": mood }, text);

/** What there is to say of a trial. */
function trialWords(test: WifiTest, { mdns, access_point: own }: Wifi): Node[] {
  const name = `“${test.ssid}”`;
  const where = facts([
    [`In ${name}`, [test.address, mdns]],
    test.address_before ? ["Before", [test.address_before]] : ["Its access point", [own?.address]],
  ]);
  switch (test.state) {
    case "running":
      return [headline(`The plug tries ${name}…`, "note"), steps(test)];
    case "succeeded":
      return [headline(`It works: the plug is in ${name}.`, "good"), where];
    case "confirmed":
      return [
        headline(`Kept: the plug stays in ${name}.`, "good"),
        h("p", {}, `Connect to ${name} yourself and open its address there. Its access point closes by itself.`),
        where,
      ];
    case "failed":
      return [headline(sentence(test.message ?? test.error ?? "It did not work"), "danger"), steps(test)];
    default:
      return [headline(`Nobody kept ${name}: the plug went back to what it had.`, "warn")];
  }
}

/** Chooses, tries and keeps a network, and shows how the last trial went to whoever comes later. */
export function joinPart(life: Lifetime, options: JoinOptions): HTMLElement {
  const result = h("div", { role: "status" });
  const note = h("p", { class: "hint" });
  const buttons = h("p", { class: "tools" });
  const trial = h("div", { hidden: true, tabindex: -1 }, result, note, buttons);
  let wifi: Wifi | null = null;
  let shown = "";
  let watching = true;
  let keepUntil = 0;

  const button = (label: string, run: () => unknown, kind?: string): HTMLElement => {
    const act = async (): Promise<void> => {
      setText(note, "");
      try {
        await run();
      } catch (error) {
        setText(note, (error as Error).message);
      }
      void step();
    };
    return h("button", { type: "button", class: kind, onclick: () => void act() }, label);
  };
  const choose = (): void => {
    setAttribute(trial, "hidden", true);
    form.open();
  };
  const form = networkForm(life, options.setHost, (test) => {
    if (wifi) show({ ...wifi, test });
    trial.focus();
  });
  const actions = (test: WifiTest): HTMLElement[] => {
    if (test.state === "running") return [];
    if (test.state === "succeeded") return [button("Keep it", net.confirm), button("Go back", net.endTest, "small")];
    if (test.state === "confirmed") return [options.after ?? button("Another network", choose, "small")];
    return [button("Try again", choose)];
  };
  const count = (): void => {
    if (wifi?.test?.state !== "succeeded") return;
    const left = duration(Math.max(0, Math.ceil((keepUntil - Date.now()) / 1000)));
    setText(note, `Keep it within ${left}, or the plug goes back to what it had.`);
  };
  const show = (now: Wifi): void => {
    const before = wifi?.test?.state;
    // What was kept before somebody came is no news.
    const test = wifi === null && now.test?.state === "confirmed" ? null : now.test;
    wifi = now;
    plug.wifi.value = now;
    form.warn(trialWarning(now));
    watching = test?.state === "running" || test?.state === "succeeded";
    if (!test) {
      choose();
      return;
    }
    keepUntil = Date.now() + (test.confirm_within_s ?? 0) * 1000;
    const key = JSON.stringify([test.state, test.step, test.ssid, test.address, now.mdns]);
    if (key !== shown || test.state === "running") {
      setAttribute(form.node, "hidden", true);
      setAttribute(trial, "hidden", false);
      setText(note, "");
    }
    if (key !== shown) {
      shown = key;
      result.replaceChildren(...trialWords(test, now));
      buttons.replaceChildren(...actions(test));
      if (test.state === "confirmed" && before === "succeeded") options.kept?.();
    }
    count();
  };
  const explain = (error: unknown): void => {
    const gone = error instanceof NoAnswer;
    setText(note, gone ? silence(wifi, options.own) : (error as Error).message);
    setAttribute(trial, "hidden", false);
  };
  let busy = false;
  const step = async (): Promise<void> => {
    if (busy || life.over) return;
    busy = true;
    try {
      show(await api.wifi());
    } catch (error) {
      explain(error);
    } finally {
      busy = false;
    }
  };
  life.every(EVERY_MS, () => {
    count();
    if (watching) void step();
  });
  void step();
  return h("div", { class: "join" }, trial, form.node);
}
