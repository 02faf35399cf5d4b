// Updates in words.
import type { Activated, Info, Probation, Update } from "../api/types";
import type { Child } from "../lib/dom";
import { duration, moment, sentence } from "../lib/format";
import { compareVersions } from "../lib/package";
import type { FieldGroup } from "./settings";

/** How the running program stands, and a mood. */
export function runningText({ running, safe_mode: safe }: Update): [string, string] {
  if (running.state === "on_probation") return [`Version ${running.version} runs, on probation.`, "note"];
  return [`Version ${running.version} runs${safe ? ", in safe mode" : ""}.`, safe ? "warn" : "good"];
}

const NETWORK: Record<Probation["network"], string> = {
  joined: "joined again",
  access_point: "it had none; its access point is as it should be",
  waiting: "not joined yet",
  off_the_air: "off the air: it waits for it",
};

/** What it has shown and what is still awaited. */
export function probationFacts(probation: Probation): [string, string][] {
  const { windows, windows_wanted: wanted, stores_open: open, network, gives_up_in_s: left } = probation;
  return [
    ["Windows measured", `${windows} of ${wanted}`],
    ["Settings and journal", open ? "open" : "not open yet"],
    ["Network", NETWORK[network] ?? network],
    ["Otherwise it goes back", left === null ? "not while the network is off the air" : `in ${duration(left)}`],
  ];
}

const OTHER: Record<string, string> = {
  former: ", which ran before",
  went_back: ", from which it went back",
  activated: ", which is started next",
};

export const otherText = ({ version, state }: NonNullable<Update["other"]>): string =>
  `${version ? `version ${version}` : "an unknown version"}${OTHER[state] ?? ""}`;

/** What the plug said before it ended badly, and where. */
export function lastWords(info: Info | null): string {
  const fault = info?.last_fault;
  if (!fault) return "";
  return `Start ${fault.start} ended with: ${fault.reason}${fault.detail ? `, “${fault.detail}”` : ", without a word"}.`;
}

/** What is asked before another version is started that is there already. */
export function goBackQuestion({ running, other }: Update): {
  title: string;
  words: string;
  yes: string;
  older: boolean;
} {
  const restarts = "The plug restarts, and the socket switches off.";
  if (running.state === "on_probation")
    return { title: "Go back?", words: `${restarts} The version before runs then.`, yes: "Go back", older: false };
  const version = other?.version ?? "";
  const older = compareVersions(version, running.version) < 0;
  const age = older
    ? ` It is older than ${running.version}, which runs: it may have faults that were mended since, and may not know all of the settings.`
    : "";
  const proves = " It has to prove itself, else the plug returns.";
  return { title: `Start version ${version}?`, words: `${restarts}${age}${proves}`, yes: `Start ${version}`, older };
}

/** How the last update ended. */
export function lastText(last: NonNullable<Update["last"]>): [string, string] {
  const when = last.time === null ? "" : `${moment(last.time)}: `;
  const version = last.version ? `version ${last.version}` : "a file";
  const why = last.message ? ` ${last.message}` : "";
  switch (last.result) {
    case "confirmed":
      return [`${when}${version} was installed and is kept.${why}`, "good"];
    case "went_back":
      if (last.code === "asked") return [`${when}it went back from ${version}.${why}`, "note"];
      return [`${when}${version} did not prove itself.${why || " The plug went back."}`, "danger"];
    case "refused":
      return [`${when}${version} was refused.${why}`, "danger"];
    default:
      return [`${when}${version} was installed.${why}`, "note"];
  }
}

export const ACCEPT: FieldGroup = {
  id: "accept",
  title: "What it takes",
  fields: [
    {
      path: "update.accept",
      kind: "choice",
      label: "Updates",
      help: "Signed: only packages with the signature of a key below. Any: bare images too, by whoever has the owner's password or an admin token.",
      choices: [
        ["default", "as it was built"],
        ["signed", "signed packages only"],
        ["any", "any for this chip"],
      ],
    },
    {
      path: "update.warn_above_a",
      kind: "number",
      unit: "A",
      label: "Ask first above",
      help: "With so much flowing through the socket, this page asks before it sends anything.",
    },
  ],
};

export const KEYS_WHAT: Child = [
  "Whoever publishes updates signs them with a secret key; the plug knows its public half and so can tell that a package comes from there and is whole. The project's key comes with its releases. With your own, made by ",
  "“ossp keygen” and used by “ossp sign”, the plug takes what you built. A package signed by a key that it accepts may bring a new key or retire one. A factory reset forgets your keys.",
];

/** Said before anything is sent. */
export const INTERRUPTS =
  "While it is written, protection is interrupted for moments at a time, because erasing the flash stops the measurement; then the plug restarts. What the socket does meanwhile is a setting of the relay.";

/**
 * What came of the program that was sent, as the plug tells it; `null`: it is not to be seen yet. Which one runs is known by
 * its place: versions may be the same, and the hash of an image takes a minute after each start. `before` is what the plug
 * told before it was sent; `restarted`: whether it was seen to be about to restart, or to be away, or to run another one
 * since. Before that it may still tell how the update before this one ended.
 */
export function outcome(
  sent: Activated,
  before: Update,
  { running, last, state }: Update,
  restarted: boolean,
): { words: string; mood: string } | null {
  if (state === "activated") return { words: "The plug restarts…", mood: "note" };
  if (running.slot !== before.running.slot) {
    return running.state === "on_probation"
      ? { words: `Version ${running.version} runs, on probation: see above what is still awaited.`, mood: "note" }
      : { words: `Done: version ${running.version} runs and is kept.`, mood: "good" };
  }
  if (last?.result !== "went_back" || !(restarted || JSON.stringify(last) !== JSON.stringify(before.last))) return null;
  const why = last.message ? sentence(last.message) : `${running.version} runs again.`;
  if (last.code === "asked") return { words: `Back from version ${sent.version}. ${why}`, mood: "warn" };
  return { words: `Version ${sent.version} did not prove itself. ${why}`, mood: "danger" };
}
