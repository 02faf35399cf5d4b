// How the plug is connected: the networks it knows, trying another one, its access point and its name.
import { api, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { Wifi } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { type Group, valueAt } from "../lib/patch";
import type { Lifetime } from "../lib/signal";
import { type Editor, editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { joinPart } from "../parts/join";
import { poll } from "../parts/poll";
import { question } from "../parts/question";
import { ACCESS_POINT, linkText, NAME, networksOf, patchOfNetworks, signal } from "../texts/network";

const EVERY_MS = 3000;
function stateCard(life: Lifetime, { form }: Editor, showAll: (available: boolean) => void): HTMLElement {
  const headline = h("p", { class: "uplink-state", role: "status" }, "Asking the plug…");
  const facts = h("dl", { class: "facts" });
  const draw = (wifi: Wifi): void => {
    const [words, mood] = linkText(wifi);
    showAll(wifi.available);
    setText(headline, words);
    setAttribute(headline, "data-mood", mood);
    const { signal_dbm: dbm, access_point: own, errors = [] } = wifi;
    const guests = own?.clients ? `, ${own.clients} on it` : "";
    const rows: [string, string | null | undefined][] = [
      ["Signal", dbm === null ? null : `${signal(dbm)[1]}, ${dbm} dBm`],
      ["Address", wifi.address],
      ["Its name there", wifi.mdns ?? wifi.host],
      ["Its own access point", own && (own.open ? `open: “${own.ssid}”, at ${own.address}${guests}` : "closed")],
    ];
    for (const { ssid, message } of errors) if (ssid !== wifi.ssid) rows.push([`“${ssid}”`, message]);
    const shown = rows.filter(([, text]) => text);
    facts.replaceChildren(...shown.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
  };
  const card = h(
    "section",
    { "class": "card", "aria-labelledby": "link-title" },
    h("h2", { id: "link-title" }, "How it stands"),
    headline,
    facts,
  );
  const wanted = (): boolean => plug.link.value.state !== "gone";
  const { poke } = poll(life, card, EVERY_MS, wanted, async () => {
    try {
      plug.wifi.value = await api.wifi();
      draw(plug.wifi.value);
    } catch (error) {
      if (!(error instanceof NoAnswer)) setText(headline, (error as Error).message);
    }
  });
  life.watch(form.loaded, (count) => count > 1 && poke()); // Something was saved.
  return card;
}

/** What it knows, in order; each button acts at once. */
function knownCard(life: Lifetime, { form, send }: Editor): HTMLElement {
  const list = h("ol", { class: "tokens" });
  const change = async (networks: Group[], focus: number): Promise<void> => {
    if (await send(patchOfNetworks(networks)))
      list.querySelectorAll("li")[Math.max(0, focus)]?.querySelector("button")?.focus();
  };
  const remove = async (all: Group[], n: number): Promise<void> => {
    const name = String(all[n]?.ssid);
    const last = all.length === 1 ? " It knows no other one: then only its access point is left." : "";
    const words = `The plug forgets its password too, and leaves it if it is in it.${last}`;
    if (await question(`Remove “${name}”?`, words, "Remove it"))
      await change(
        all.filter((_, at) => at !== n),
        n - 1,
      );
  };
  const row = (one: Group, n: number, all: Group[]): Node => {
    const up = (): void => {
      const [above, this_] = [all[n - 1] as Group, all[n] as Group];
      void change([...all.slice(0, n - 1), this_, above, ...all.slice(n + 1)], n - 1);
    };
    const about = [one.password === null ? "open" : "", one.hidden ? "hidden" : "", valueAt(one, "address.ip")];
    const button = (label: string, run: () => void): Node =>
      h("button", { "type": "button", "class": "small", "aria-label": `${label}: ${one.ssid}`, "onclick": run }, label);
    return h(
      "li",
      {},
      h("strong", {}, String(one.ssid)),
      h("span", { class: "hint" }, about.filter(Boolean).join(", ")),
      n > 0 && button("Move up", up),
      button("Remove", () => void remove(all, n)),
    );
  };
  life.watch(form.loaded, () => {
    const all = networksOf(form.base);
    list.replaceChildren(...(all.length > 0 ? all.map(row) : [h("li", { class: "hint" }, "None.")]));
  });
  return h(
    "section",
    { "class": "card settings", "id": "known", "tabindex": -1, "aria-labelledby": "known-title" },
    h("h2", { id: "known-title" }, "Networks it knows"),
    h("p", { class: "hint" }, "It joins the first of these that is in range. A change here is taken at once."),
    list,
  );
}

function joinCard(life: Lifetime, { form, load }: Editor): HTMLElement {
  const begin = h("button", { type: "button", class: "small" }, "Try another network");
  const card = h(
    "section",
    { "class": "card settings", "id": "join", "tabindex": -1, "aria-labelledby": "join-title" },
    h("h2", { id: "join-title" }, "Another network"),
    h("p", { class: "hint" }, "It is tried first, and kept only if it works. Then it is the first of those above."),
  );
  const open = (): void => {
    begin.parentElement?.remove();
    card.append(joinPart(life, { kept: () => void load(form.changed.value > 0) }));
  };
  begin.addEventListener("click", open);
  card.append(h("p", { class: "tools" }, begin));
  void api.wifi().then(
    // Whoever comes back sees how it went.
    ({ test }) => !life.over && test && test.state !== "confirmed" && begin.isConnected && open(),
    () => undefined,
  );
  return card;
}

export function networkPage(life: Lifetime): Node {
  const own = editor(life);
  const { form, bar } = own;
  const radio = [knownCard(life, own), joinCard(life, own), groupCard(form, ACCESS_POINT)];
  const state = stateCard(life, own, (available) => {
    for (const card of radio) setAttribute(card, "hidden", !available);
  });
  return h("div", { class: "narrow" }, h("h1", {}, "Network"), state, ...radio, groupCard(form, NAME), bar);
}
