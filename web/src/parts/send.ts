// A file is chosen, looked at and sent, and what becomes of it is followed over the restart.
import { NoAnswer, Refused } from "../api/client";
import { net, upload } from "../api/net";
import { plug } from "../api/plug";
import type { Activated, Update } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { decimal } from "../lib/format";
import { compareVersions, type FileHead, HEAD_BYTES, readHead } from "../lib/package";
import type { Lifetime, Signal } from "../lib/signal";
import { INTERRUPTS, outcome } from "../texts/update";
import { question } from "./question";

/** Who signed it, as far as the plug's own keys tell. */
function signedBy({ isPackage, keys }: FileHead, { keys: known }: Update): string {
  if (keys.length === 0) return isPackage ? "nobody: a package without a signature" : "nobody: a bare image";
  const found = known.filter(({ key }) => keys.includes(key)).map(({ source }) => source);
  if (found.includes("project")) return "the project";
  return found.length > 0 ? "a key of yours" : "a key that this plug does not know";
}

/** What would run, and what does where that is something else. */
function comparison(head: FileHead, size: number, update: Update): Node {
  const { running, capacity_bytes: room } = update;
  const order = compareVersions(head.version, running.version);
  const age = order > 0 ? "newer: " : order < 0 ? "older: " : "";
  const instead = (next: string | undefined, now: string | null | undefined): string | undefined =>
    next && next !== "unknown" ? (now && now !== next ? `${next} (${now} now)` : next) : undefined;
  const kilobytes = (bytes: number): string => decimal(bytes / 1000, 0);
  const chip =
    running.chip && head.chip !== running.chip ? `${head.chip}, but this plug has ${running.chip}` : head.chip;
  const rows: [string, string | undefined][] = [
    ["Version", `${age}${instead(head.version, running.version)}`],
    ["Program", instead(head.project, running.project)],
    ["Chip", chip],
    ["Board", head.board],
    ["Source code", instead(head.commit, running.git)],
    ["Compiler", instead(head.rustc, plug.info.value?.rustc)],
    ["Signed by", signedBy(head, update)],
    ["Size", `${kilobytes(size)} kB${room ? ` of ${kilobytes(room)}` : ""}`],
  ];
  const shown = rows.filter(([, text]) => text);
  return h(
    "dl",
    { class: "facts" },
    ...shown.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))),
  );
}

function meter(): { node: HTMLElement; show: (share: number | null) => void } {
  const fill = h("i");
  const bounds = { "aria-valuemin": 0, "aria-valuemax": 100 };
  const node = h(
    "div",
    { "class": "meter", "role": "progressbar", "hidden": true, ...bounds, "aria-label": "Sent" },
    fill,
  );
  return {
    node,
    show(share) {
      setAttribute(node, "hidden", share === null);
      const percent = Math.round(100 * (share ?? 0));
      setAttribute(node, "aria-valuenow", percent);
      fill.style.width = `${percent}%`;
    },
  };
}

/** Asks what has to be asked; `null`: do not send, otherwise whether an older version is meant. */
async function consent(head: FileHead, update: Update): Promise<boolean | null> {
  const { load_current_a: load, warn_above_a: most, running } = update;
  if (load !== null && load > most) {
    const words = `${decimal(load, 1)} A flow through the socket. ${INTERRUPTS} Better switch the load off first.`;
    if (!(await question("Update with this load?", words, "Update all the same"))) return null;
  }
  if (compareVersions(head.version, running.version) >= 0) return false;
  return (await askOlder(head.version, running.version)) ? true : null;
}

export const askOlder = (version: string, running: string): Promise<boolean> =>
  question(
    "Go to an older version?",
    `Version ${version} is older than ${running}, which runs. It may have faults that were mended since, and may not know all of the settings.`,
    "Install the older one",
  );

/**
 * `update` is what is known of the plug; `follow` asks it again and again from now on; `busy` is whether it is being sent to;
 * `away`: whether it left a question without an answer since this was last cleared.
 */
export function sendCard(
  life: Lifetime,
  update: Signal<Update | null>,
  follow: Signal<boolean>,
  busy: Signal<boolean>,
  away: Signal<boolean>,
): HTMLElement {
  const input = h("input", { type: "file", id: "update-file", accept: ".ossp,.bin" });
  const found = h("div");
  const problem = h("p", { class: "problem", role: "alert" });
  const state = h("p", { class: "uplink-state", role: "status" });
  const submit = h("button", { type: "button", hidden: true, onclick: () => void send() }, "Install it");
  const bar = meter();
  let chosen: { file: Blob; head: FileHead } | null = null;
  let sent: { image: Activated; before: Update } | null = null;

  const say = (words: string, mood = "note"): void => {
    setText(state, words);
    setAttribute(state, "data-mood", mood);
  };
  const choose = async (file: File | null | undefined): Promise<void> => {
    if (!file || busy.value) return;
    setText(problem, "");
    say("");
    chosen = null;
    found.replaceChildren();
    setAttribute(submit, "hidden", true);
    try {
      const head = readHead(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
      const now = await net.update();
      update.value = now;
      chosen = { file, head };
      found.replaceChildren(comparison(head, file.size, now), h("p", { class: "hint" }, INTERRUPTS));
      setAttribute(submit, "hidden", false);
    } catch (error) {
      setText(problem, (error as Error).message);
    }
  };
  /** A plug that refuses early may close before it has read all: then it says why to whoever asks. */
  const reason = async (error: unknown, before: Update): Promise<string> => {
    const after = await net.update().catch(() => null);
    if (after) update.value = after;
    const last = after?.last;
    const isNew = last?.result === "refused" && JSON.stringify(last) !== JSON.stringify(before.last);
    return (error instanceof NoAnswer && isNew && last.message) || (error as Error).message;
  };
  const transfer = async (file: Blob, allowDowngrade: boolean): Promise<Activated> => {
    bar.show(0);
    say("Sending…");
    return upload(file, allowDowngrade, (bytes) => {
      bar.show(bytes / file.size);
      if (bytes >= file.size) say("Sent. The plug checks it…");
    });
  };
  const send = async (): Promise<void> => {
    if (!chosen || busy.value) return;
    const { file, head } = chosen;
    setText(problem, "");
    setAttribute(submit, "disabled", true);
    let before: Update | null = null;
    try {
      before = await net.update();
      const older = await consent(head, before);
      if (older === null) return;
      busy.value = true;
      try {
        sent = { image: await transfer(file, older), before };
      } catch (error) {
        // The plug compares more closely than this page.
        if (!(error instanceof Refused) || error.code !== "older_version" || older) throw error;
        if (!(await askOlder(head.version, before.running.version))) throw error;
        sent = { image: await transfer(file, true), before };
      }
      away.value = false;
      say("Taken. The plug restarts…");
      found.replaceChildren();
      input.value = "";
      setAttribute(submit, "hidden", true);
      chosen = null;
      follow.value = true;
    } catch (error) {
      say("");
      setText(problem, before ? await reason(error, before) : (error as Error).message);
    } finally {
      busy.value = false;
      bar.show(null);
      setAttribute(submit, "disabled", false);
    }
  };
  life.watch(update, (now) => {
    if (!sent || !now) return;
    // Seen once is enough.
    if (now.state === "activated" || now.running.slot !== sent.before.running.slot) away.value = true;
    const result = outcome(sent.image, sent.before, now, away.value);
    if (!result) return;
    say(result.words, result.mood);
    if (result.mood !== "note") follow.value = false;
  });
  input.addEventListener("change", () => void choose(input.files?.[0]));
  const card = h(
    "section",
    { "class": "card settings drop", "id": "install", "tabindex": -1, "aria-labelledby": "install-title" },
    h("h2", { id: "install-title" }, "Install another version"),
    h("p", { class: "hint" }, "A package (.ossp) or a bare image (.bin). Choose it, or drop it here."),
    h("p", { class: "import-line" }, h("label", { for: input.id }, "File"), input),
    found,
    bar.node,
    state,
    problem,
    h("p", { class: "tools" }, submit),
  );
  const over = (event: DragEvent, on: boolean): void => {
    event.preventDefault();
    card.classList.toggle("over", on);
  };
  card.addEventListener("dragover", (event) => over(event, true));
  card.addEventListener("dragleave", (event) => over(event, false));
  card.addEventListener("drop", (event) => {
    over(event, false);
    void choose(event.dataTransfer?.files[0]);
  });
  return card;
}
