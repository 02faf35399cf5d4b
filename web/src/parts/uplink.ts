// How the sending to Emoncms stands, and one request to see what comes back.
import { api, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { Uplink, UplinkTest } from "../api/types";
import { type Child, h, setAttribute, setText } from "../lib/dom";
import { decimal, decoded, duration, moment, moments, sentence } from "../lib/format";
import type { Lifetime, Signal } from "../lib/signal";
import { adviceFor, uplinkState } from "../texts/report";
import { poll } from "./poll";

const EVERY_MS = 5000;

const rows = (count: number): string => `${decimal(count, 0)} ${count === 1 ? "row" : "rows"}`;
const ago = (time: number): string => `${moment(time)} (${duration(Date.now() / 1000 - time)} ago)`;

/** Rows that the server refused one by one. */
function setAside({ set_aside: count, last_set_aside: last, set_aside_because: why }: Uplink): Child {
  if (count === 0) return null;
  const of = last ? `, the last of ${moment(last)}` : "";
  return [`${rows(count)} that the server refused${of}; all others went on.`, why && [" It said: ", h("q", {}, why)]];
}

/** Whether rows were taken after what went wrong last. */
const over = ({ last_error: error, last_success: success }: Uplink): boolean =>
  error !== null && error.time !== null && success !== null && success >= error.time;

/** What is to be known of the sending, as terms and words. */
export function uplinkFacts(uplink: Uplink): [string, Child][] {
  const { state, queued, oldest_queued: oldest, last_error: error, rate_rows_per_s: rate, catch_up_s: left } = uplink;
  const facts: [string, Child][] = [
    ["To", uplink.url && `${uplink.url}, as node ${uplink.node}, ${uplink.transport}`],
    [
      "Waiting",
      queued === 0 ? "nothing" : `${rows(queued)}${oldest === null ? "" : `, the oldest of ${moment(oldest)}`}`,
    ],
    [
      "Catching up",
      state === "catching_up" && left
        ? `${duration(left)} to go${rate ? `, at ${decimal(rate, 0)} rows a second` : ""}`
        : null,
    ],
    ["Last success", uplink.last_success === null ? "none since the start" : ago(uplink.last_success)],
    ["Sent since the start", rows(uplink.sent_rows)],
    [
      error && over(uplink) ? "Last refusal, over since" : "Last refusal",
      error && [
        `${sentence(error.message)} `,
        error.server_said ? ["The server said: ", h("q", {}, error.server_said), ". "] : null,
        error.time === null ? null : h("span", { class: "hint" }, ago(error.time)),
      ],
    ],
    ["Next try", uplink.next_attempt_s && error && !over(uplink) ? `in ${duration(uplink.next_attempt_s)}` : null],
    ["Set aside", setAside(uplink)],
    ["Thinned", uplink.thinned ? `${rows(uplink.thinned)}: the log has only their means over 5 minutes now` : null],
    ["Lost", uplink.dropped > 0 ? `${rows(uplink.dropped)}: the log was full before the server took them` : null],
  ];
  return facts.filter(([, content]) => content !== null && content !== "" && content !== 0);
}

/** Of the rows that waited when this page first saw it, how many went. */
function progress(): { node: HTMLElement; show: (uplink: Uplink) => void } {
  const fill = h("i");
  const node = h(
    "div",
    { "class": "meter", "role": "progressbar", "aria-label": "Catching up", "aria-valuemin": 0, "aria-valuemax": 100 },
    fill,
  );
  let most = 0;
  return {
    node,
    show({ state, queued }) {
      const busy = state === "catching_up";
      most = busy ? Math.max(most, queued) : 0;
      setAttribute(node, "hidden", !busy);
      const done = most > 0 ? Math.round(100 * (1 - queued / most)) : 0;
      setAttribute(node, "aria-valuenow", done);
      fill.style.width = `${done}%`;
    },
  };
}

/** `saved` rises when settings were loaded or stored. */
export function uplinkCard(life: Lifetime, saved: Signal<number>): HTMLElement {
  const headline = h("p", { class: "uplink-state", role: "status" }, "Asking the plug…");
  const conflict = h("div", { class: "alert warn", role: "alert", hidden: true });
  const facts = h("dl", { class: "facts" });
  const bar = progress();
  const draw = (uplink: Uplink): void => {
    const [words, mood] = uplinkState(uplink.state);
    setText(headline, uplink.configured ? words : "Not set up yet: nothing is sent. Say below where to.");
    setAttribute(headline, "data-mood", uplink.configured ? mood : "note");
    const { message, server_time: there = 0 } = uplink.conflict ?? {};
    setAttribute(conflict, "hidden", !message);
    if (message) {
      const words = ` ${sentence(message)} Its newest row is of ${moment(there)}.`;
      const text = h("p", {}, h("strong", {}, "Conflict."), words);
      // It is read out at each change.
      if (text.textContent !== conflict.textContent) conflict.replaceChildren(text);
    }
    bar.show(uplink);
    const items = uplink.configured ? uplinkFacts(uplink) : [];
    facts.replaceChildren(...items.map(([term, content]) => h("div", {}, h("dt", {}, term), h("dd", {}, content))));
  };
  const card = h(
    "section",
    { "class": "card", "aria-labelledby": "uplink-title" },
    h("h2", { id: "uplink-title" }, "How it stands"),
    headline,
    bar.node,
    conflict,
    facts,
  );
  const { poke } = poll(
    life,
    card,
    EVERY_MS,
    () => plug.link.value.state !== "gone",
    async () => {
      try {
        draw(await api.uplink());
      } catch (error) {
        if (!(error instanceof NoAnswer)) setText(headline, (error as Error).message);
      }
    },
  );
  life.watch(saved, (count) => count > 1 && poke());
  return card;
}

const headerLines = (headers: Record<string, string>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");

const raw = (title: string, text: string): Node[] => [
  h("h3", {}, title),
  h("pre", { class: "raw", tabindex: 0 }, text),
];

/** Exactly what went out and what came back. */
function testResult({ sent, received, verdict, took_s: took }: UplinkTest): Node {
  const advice = adviceFor(verdict.code);
  const readable = sent?.plaintext ?? decoded(sent?.body ?? "");
  const took_text = took === null ? "" : ` It took ${moments(took)}.`;
  return h(
    "div",
    {},
    h(
      "p",
      { "class": "uplink-state", "data-mood": verdict.ok ? "good" : "danger" },
      `${sentence(verdict.message)}${took_text}`,
    ),
    advice && h("p", {}, h("strong", {}, "What to do: "), advice),
    sent && raw("What was sent", `${sent.method} ${sent.url}\n${headerLines(sent.headers)}\n\n${sent.body}`),
    sent && raw(sent.plaintext ? "Which is, before encryption" : "Which is, without percent-encoding", readable),
    sent &&
      raw(
        "What came back",
        received
          ? `Status ${received.status}\n${headerLines(received.headers)}\n\n${received.body || "(nothing)"}`
          : "Nothing.",
      ),
  );
}

/** `unsaved` tells whether something typed is not in force yet. */
export function testCard(unsaved: () => boolean): HTMLElement {
  const result = h("div", { role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "button", class: "small", onclick: () => void run() }, "Send one row now");
  const run = async (): Promise<void> => {
    setText(problem, "");
    if (unsaved()) {
      setText(problem, "Save first: the plug tests what is saved.");
      return;
    }
    setAttribute(button, "disabled", true);
    result.replaceChildren(h("p", { class: "hint" }, "The plug asks the server…"));
    try {
      const answer = await api.testUplink();
      result.replaceChildren(...(answer ? [testResult(answer)] : []));
    } catch (error) {
      result.replaceChildren();
      setText(problem, (error as Error).message);
    } finally {
      setAttribute(button, "disabled", false);
    }
  };
  return h(
    "section",
    { "class": "card settings", "aria-labelledby": "test-title" },
    h("h2", { id: "test-title" }, "Test"),
    h(
      "p",
      { class: "hint" },
      "One real request with the newest row. You see exactly what was sent, without the key, and what came back.",
    ),
    h("p", { class: "tools" }, button),
    problem,
    result,
  );
}
