// Updates: what runs and whether it has proved itself, installing another version, and whose packages are taken.
import { NoAnswer, Refused } from "../api/client";
import { net } from "../api/net";
import { plug } from "../api/plug";
import type { Update } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { type Lifetime, Signal } from "../lib/signal";
import { editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { keysControl } from "../parts/keys";
import { question } from "../parts/question";
import { askOlder, sendCard } from "../parts/send";
import {
  ACCEPT,
  goBackQuestion,
  KEYS_WHAT,
  lastText,
  lastWords,
  otherText,
  probationFacts,
  runningText,
} from "../texts/update";

const EVERY_MS = 1500;

const facts = (rows: [string, string | number | null | undefined][]): HTMLElement[] =>
  rows.filter(([, text]) => text).map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text)));

function runningCard(life: Lifetime, update: Signal<Update | null>, ask: () => Promise<void>): HTMLElement {
  const headline = h("p", { class: "uplink-state", role: "status" }, "Asking the plug…");
  const probation = h("dl", { class: "facts" });
  const about = h("dl", { class: "facts" });
  const last = h("p", { "role": "status", "data-mood": "note" });
  const goBack = async (): Promise<void> => {
    const now = update.value;
    if (!now) return;
    const { title, words, yes, older } = goBackQuestion(now);
    if (!(await question(title, words, yes))) return;
    try {
      await net.goBack(older).catch(async (error: unknown) => {
        // The plug compares more closely than this page.
        const asks = error instanceof Refused && error.code === "older_version" && !older && now.other?.version;
        if (!asks || !(await askOlder(asks, now.running.version))) throw error;
        await net.goBack(true);
      });
      await ask();
    } catch (error) {
      setText(last, (error as Error).message);
    }
  };
  const back = h(
    "button",
    { type: "button", class: "small", hidden: true, onclick: () => void goBack() },
    "Go back now",
  );
  const before = h("button", { type: "button", class: "small", hidden: true, onclick: () => void goBack() });
  life.watch(update, (now) => {
    if (!now) return;
    const { running, other } = now;
    const { rustc, espflash } = plug.info.value ?? {};
    const [words, mood] = runningText(now);
    setText(headline, words);
    setAttribute(headline, "data-mood", mood);
    const onProbation = running.state === "on_probation";
    setAttribute(back, "hidden", !onProbation);
    setAttribute(before, "hidden", onProbation || !other?.version || now.state !== "idle");
    setText(before, `Start version ${other?.version} again`);
    probation.replaceChildren(...facts(running.probation ? probationFacts(running.probation) : []));
    about.replaceChildren(
      ...facts([
        ["Source code", running.git],
        ["For", [running.board, running.chip].filter(Boolean).join(", ")],
        ["Made with", [rustc && `rustc ${rustc}`, espflash].filter(Boolean).join(", espflash ")],
        ["SHA-256 of the image", running.image_sha256],
        ["In the other slot", other && otherText(other)],
      ]),
    );
    const [text, kind] = now.last ? lastText(now.last) : ["", ""];
    setText(last, text && `Last update: ${text}`);
    setAttribute(last, "data-mood", kind);
  });
  return h(
    "section",
    { "class": "card", "aria-labelledby": "running-title" },
    h("h2", { id: "running-title" }, "What runs"),
    headline,
    probation,
    back,
    about,
    h("p", {}, before),
    last,
  );
}

/** How it is told from whom updates come. */
function sourceNotes(life: Lifetime, update: Signal<Update | null>): HTMLElement {
  const now = h("p", {});
  const project = h("p", { class: "hint" });
  life.watch(update, (state) => {
    if (!state) return;
    const { accept, built_with_key: built, keys } = state;
    const takes = accept === "signed" ? "It takes signed packages only." : "It takes any image for its chip.";
    const none = built ? "" : " This build came without a key of the project";
    const risk =
      accept === "any"
        ? ", so nothing but your password keeps foreign programs out unless you add a key and choose signed packages only"
        : "";
    setText(now, takes + (none && `${none}${risk}.`));
    const key = keys.find(({ source }) => source === "project")?.key;
    setText(project, key ? `The project's key: ${key}` : "");
  });
  return h("div", {}, now, h("p", { class: "hint" }, KEYS_WHAT), project);
}

export function updatePage(life: Lifetime): Node {
  const { form, bar } = editor(life);
  const update = new Signal<Update | null>(null);
  const follow = new Signal(false);
  const busy = new Signal(false);
  const away = new Signal(false);
  const problem = h("p", { class: "problem", role: "alert" });
  const words = h("p", {});
  const safe = h(
    "div",
    { class: "alert warn", hidden: true },
    h(
      "div",
      {},
      h(
        "p",
        {},
        h("strong", {}, "Safe mode. "),
        "It crashed again and again, so only network, sign-in and update run, and the socket is in its safe state. Install a version that works, start the one before, or restart it to try once more.",
      ),
      words,
    ),
  );
  const moves = (): boolean =>
    follow.value || update.value?.state === "activated" || update.value?.running.state === "on_probation";
  let asking = false;
  const ask = async (): Promise<void> => {
    if (asking || busy.value || life.over) return;
    asking = true;
    try {
      update.value = await net.update();
      setAttribute(safe, "hidden", !update.value.safe_mode);
      setText(words, lastWords(plug.info.value));
      setText(problem, "");
    } catch (error) {
      // While it restarts nobody answers.
      if (error instanceof NoAnswer) away.value = true;
      if (!(error instanceof NoAnswer && moves())) setText(problem, (error as Error).message);
    } finally {
      asking = false;
    }
  };
  // On screen or not: whoever scrolled down to send it wants to know.
  life.every(EVERY_MS, () => (update.value === null || moves()) && !document.hidden && void ask());
  life.watch(form.loaded, () => void ask()); // What it takes may have been changed.
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Update"),
    safe,
    problem,
    runningCard(life, update, ask),
    sendCard(life, update, follow, busy, away),
    groupCard(form, ACCEPT, sourceNotes(life, update), form.add(keysControl())),
    bar,
  );
}
