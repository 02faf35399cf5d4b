// What leaves this plug: every destination with its reason, the last connections, and what was in them.
import { api, signer } from "../api/client";
import type { Connection, Destination, Ledger } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { decimal, decoded, duration, momentOrUptime, moments } from "../lib/format";
import { bars, bytes, HOURS, sumOf } from "../lib/hours";
import type { Lifetime } from "../lib/signal";
import { purposeText, settingPlace } from "../texts/report";

const SVG = "http://www.w3.org/2000/svg";
const TALL = 36;
/** Connections in sight; the rest on demand. */
const AT_ONCE = 10;
const HEAD = ["Time", "To", "For", "Result", "Bytes", "Took"];

const plain = (name: string): string => name.replaceAll("_", " ");
const place = ({ host, port, purpose }: { host: string; port: number; purpose: string }): string =>
  purpose === "dns" ? host : `${host}:${port}`;
const times = (count: number): string => `${decimal(count, 0)} ${count === 1 ? "time" : "times"}`;

function draw(tag: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  return element;
}

/** Seven days of hours, the newest at the right. */
function hourBars({ hours, host }: Destination, uptime: number): SVGElement {
  const picture = draw("svg", {
    "viewBox": `0 0 ${HOURS * 3} ${TALL}`,
    "preserveAspectRatio": "none",
    "class": "hours",
    "role": "img",
    "aria-label": `${host}: connections by the hour over the last seven days`,
  });
  for (const bar of bars(hours, uptime)) {
    const tall = Math.max(2, bar.height * TALL);
    const failed = tall * bar.failed;
    const x = (HOURS - 1 - bar.ago) * 3;
    picture.append(draw("rect", { x, y: TALL - tall, width: 2.4, height: tall - failed, class: "worked" }));
    if (failed > 0) picture.append(draw("rect", { x, y: TALL - failed, width: 2.4, height: failed, class: "failed" }));
  }
  return picture;
}

function destination(one: Destination, uptime: number): Node {
  const { count, failed, out, in: back } = sumOf(one.hours);
  return h(
    "li",
    {},
    h("p", {}, h("strong", {}, place(one)), h("span", { class: "tag" }, purposeText(one.purpose))),
    h(
      "p",
      { class: "hint" },
      `It ${one.why}. Because of `,
      one.setting ? h("a", { href: settingPlace(one.setting) }, h("code", {}, one.setting)) : "nothing that is set",
      `. ${times(count)}${failed > 0 ? `, ${decimal(failed, 0)} of them failed` : ""}; ${bytes(out)} out, ${bytes(back)} back.`,
    ),
    hourBars(one, uptime),
  );
}

function connection(one: Connection): Node {
  const cells: [string, string][] = [
    ["Time", momentOrUptime(one.time, one.uptime_s)],
    ["To", place(one)],
    ["For", purposeText(one.purpose)],
    ["Result", plain(one.result)],
    ["Bytes", `${bytes(one.bytes_out)} out, ${bytes(one.bytes_in)} back`],
    ["Took", one.took_s === null ? "–" : moments(one.took_s)],
  ];
  return h("tr", {}, ...cells.map(([label, content]) => h("td", { "data-label": label }, content)));
}

function connectionsCard(connections: Connection[]): Node {
  const newest = [...connections].sort((a, b) => b.uptime_s - a.uptime_s);
  const rows = h("tbody", {}, ...newest.slice(0, AT_ONCE).map(connection));
  const all = (): void => {
    rows.append(...newest.slice(AT_ONCE).map(connection));
    more.remove();
  };
  const more = h("button", { type: "button", class: "small", onclick: all }, `Show all ${newest.length}`);
  return h(
    "section",
    { "class": "card log", "aria-labelledby": "connections-title" },
    h("h2", { id: "connections-title" }, "The last connections"),
    h(
      "table",
      { class: "stacks" },
      h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
      rows,
    ),
    newest.length > AT_ONCE && h("p", { class: "tools" }, more),
  );
}

function ledgerCards(ledger: Ledger): Node[] {
  const { destinations, connections, bodies, uptime_s: uptime } = ledger;
  if (ledger.total.count === 0) {
    const since = `since it was started ${duration(uptime)} ago`;
    return [
      h(
        "section",
        { class: "card" },
        h("p", { "class": "uplink-state", "data-mood": "good" }, `Nothing has left this plug ${since}.`),
        h(
          "p",
          { class: "hint" },
          "No connection to anywhere, no name look-up, no time server. What its own network needs to find it (an address by DHCP, its name by mDNS) stays in that network and is not counted here.",
        ),
      ),
    ];
  }
  return [
    h(
      "section",
      { "class": "card", "aria-labelledby": "where-title" },
      h("h2", { id: "where-title" }, "Where to, and why"),
      h("p", { class: "hint" }, "A bar is an hour, the last one at the right end of seven days; red is what failed."),
      h("ul", { class: "plain-list leaves" }, ...destinations.map((one) => destination(one, uptime))),
      (ledger.forgotten_destinations ?? 0) > 0 &&
        h(
          "p",
          { class: "hint" },
          `${ledger.forgotten_destinations} older destinations are forgotten: there is room for 16.`,
        ),
    ),
    connectionsCard(connections),
    h(
      "section",
      { "class": "card settings", "aria-labelledby": "bodies-title" },
      h("h2", { id: "bodies-title" }, "What was in the last ones"),
      h(
        "p",
        { class: "hint" },
        "The first kilobyte of each, as it went out but for percent-encoding; secrets are masked.",
      ),
      ...(bodies.length === 0 ? [h("p", { class: "hint" }, "None.")] : bodies.map(body)),
    ),
  ];
}

const body = (one: Ledger["bodies"][number]): Node =>
  h(
    "details",
    { class: "as-table" },
    h("summary", {}, `${momentOrUptime(one.time, one.uptime_s)}, to ${place(one)}`),
    h("pre", { class: "raw", tabindex: 0 }, decoded(one.body) + (one.cut ? "…" : "")),
  );

export function leavesPage(life: Lifetime): Node {
  const found = h("div");
  const note = h("p", { class: "hint", role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const show = h("button", { type: "button", class: "small", onclick: () => void load() }, "Show it");
  const load = async (): Promise<void> => {
    setText(problem, "");
    setText(note, "Asking the plug…");
    try {
      const ledger = await api.ledger();
      if (life.over) return;
      found.replaceChildren(...ledgerCards(ledger));
      setText(note, `Counted since the plug was started, ${duration(ledger.uptime_s)} ago.`);
      setText(show, "Look again");
    } catch (error) {
      setText(note, "");
      setText(problem, (error as Error).message);
    }
  };
  if (signer.able) void load();
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "What leaves this plug"),
    h(
      "p",
      { class: "lead" },
      "Every connection that the plug itself made to somewhere else. It makes none but those that a setting asks for; this page shows the owner all of them.",
    ),
    problem,
    found,
    h("p", { class: "tools" }, show, note),
  );
}
