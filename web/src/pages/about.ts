// What this plug is, and where programs find its numbers.
import { plug } from "../api/plug";
import type { Info } from "../api/types";
import { h, setText } from "../lib/dom";
import { decimal, duration, moment, momentOrUptime } from "../lib/format";
import type { Lifetime } from "../lib/signal";

const INTERFACES: [string, string][] = [
  ["/api/v1/info", "what this plug is"],
  ["/api/v1/reading", "the newest reading"],
  ["/api/v1/waveform?cycles=10", "the samples of the last ten cycles (CSV)"],
  ["/api/v1/harmonics", "harmonics of the newest window"],
  ["/api/v1/relay", "the relay, who decides, and what the schedule does next"],
  ["/api/v1/relay/log", "every change of the relay"],
  ["/api/v1/trips", "trips of the protection; trips/N/waveform has the samples"],
  ["/api/v1/protection", "the protections and how near they are"],
  ["/api/v1/energy", "totals, days and months"],
  ["/api/v1/history", "the log of the last hour; start, end, step and format=csv choose"],
  ["/api/v1/uplink", "how the sending to Emoncms stands"],
  ["/api/v1/ledger", "every connection that left the plug"],
  ["/api/v1/time", "what it knows of the time"],
  ["/api/v1/settings", "all settings, without secrets"],
  ["/api/v1/openapi.json", "all of it described for programs (OpenAPI 3)"],
  ["/metrics", "for Prometheus"],
];

/** What the energy journal does to the flash. */
function flashLife(journal: NonNullable<Info["storage"]>["journal"]): string | null {
  const { writes_a_day, erases_a_day, life_years_10k, life_years_100k } = journal?.rated ?? {};
  if (life_years_10k === undefined) return null;
  const work = `${decimal(writes_a_day, 0)} writes and ${decimal(erases_a_day, 1)} erases a day under full load`;
  const years = `lasts ${decimal(life_years_10k, 0)} years at 10 000 erases a sector, ${decimal(life_years_100k, 0)} at 100 000`;
  return `${work}; ${years}`;
}

export function aboutPage(life: Lifetime): Node {
  const facts = h("dl", { class: "facts" });
  const uptime = h("dd");
  life.watch(plug.info, (info) => {
    if (!info) return;
    const entries: [string, string | null | undefined][] = [
      ["Name", info.name],
      ["Identity", info.id],
      ["Version", info.version],
      ["Source code", info.git],
      ["Built", info.build],
      ["Board", info.board === "virtual" ? "virtual: a program on a computer, no hardware" : info.board],
      ["Chip", info.chip],
      ["Measures", info.source],
      ["Sample rate", info.sample_rate_hz ? `${decimal(info.sample_rate_hz, 0)} pairs a second` : null],
      ["Nominal voltage", info.nominal_voltage_v ? `${info.nominal_voltage_v} V` : null],
      ["Flash, by the energy journal at rated load", flashLife(info.storage?.journal)],
      ["Last start because of", info.reset_reason?.replaceAll("_", " ")],
    ];
    facts.replaceChildren(
      ...entries
        .filter(([, value]) => value)
        .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
      h("div", {}, h("dt", {}, "Running for"), uptime),
    );
  });
  const clock = h("dd");
  life.watch(plug.reading, (reading) => {
    if (!reading) return;
    setText(uptime, duration(reading.uptime_s));
    setText(clock, reading.time === null ? "not set yet" : moment(reading.time));
  });
  const messages = h("ol", { class: "messages" });
  life.watch(plug.messages, (lines) => {
    const items = lines.map((line) =>
      h("li", {}, h("span", { class: "symbol" }, momentOrUptime(line.time, line.uptime_s)), " ", line.message),
    );
    messages.replaceChildren(...(items.length > 0 ? items : [h("li", { class: "hint" }, "None so far.")]));
  });
  return h(
    "div",
    { class: "about" },
    h("h1", {}, "This plug"),
    h(
      "section",
      { class: "card" },
      facts,
      h("dl", { class: "facts" }, h("div", {}, h("dt", {}, "Its clock, in your time zone"), clock)),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "For programs"),
      h(
        "ul",
        { class: "links" },
        ...INTERFACES.map(([path, text]) => h("li", {}, h("a", { href: path }, h("code", {}, path)), ` ${text}`)),
      ),
      h("p", { class: "hint" }, "This page is served by the plug itself and loads nothing from anywhere else."),
    ),
    h("section", { class: "card" }, h("h2", {}, "Messages since this page was opened"), messages),
  );
}
