// For those who learn: how samples become numbers, every quantity, every flag.
import { h } from "../lib/dom";
import { FLAGS } from "../texts/flags";
import { GROUPS, LIMITS, quantityOf } from "../texts/quantities";
import { NOT_A_FUSE } from "../texts/settings";

const STEPS: [string, string][] = [
  [
    "Samples",
    "Thousands of times a second the plug takes a pair of numbers: the voltage and the current of this instant.",
  ],
  [
    "Calibration",
    "Each pair is turned into volts and amperes with gains and zeros that have a version and a fingerprint.",
  ],
  [
    "Window",
    "Ten whole cycles of a 50 Hz mains (twelve at 60 Hz) make a window, a fifth of a second. Every sample belongs to exactly one.",
  ],
  [
    "Reading",
    "From one window come all the numbers you see, and nothing else goes into them: no smoothing, no holding, no rounding to zero.",
  ],
  ["Flags", "What must be said beside a number is said by a flag. A value that does not exist is a dash, not a zero."],
];

export function learnPage(): Node {
  const parts: [string, string][] = [...GROUPS, LIMITS].map((group) => [group.colour, group.title]);
  parts.push(["flags", "Quality flags"], ["not-a-fuse", "What the protection is not"]);
  return h(
    "div",
    { class: "learn" },
    h("h1", {}, "How the numbers come about"),
    h(
      "p",
      { class: "lead" },
      "This plug edits no number silently. Here is what it does instead, step by step; anyone can compute it again from the samples.",
    ),
    h("ol", { class: "steps" }, ...STEPS.map(([title, text]) => h("li", {}, h("strong", {}, title), text))),
    h(
      "ul",
      { "class": "contents", "aria-label": "On this page" },
      ...parts.map(([id, title]) => h("li", {}, h("a", { href: `#/learn/${id}` }, title))),
    ),
    ...[...GROUPS, LIMITS].map((group) =>
      h(
        "section",
        { class: `card glossary ${group.colour}`, id: group.colour, tabindex: -1 },
        h("h2", {}, group.title),
        h(
          "dl",
          {},
          ...group.names
            .map(quantityOf)
            .map((quantity) =>
              h(
                "div",
                { id: quantity.key, tabindex: -1 },
                h(
                  "dt",
                  {},
                  quantity.name,
                  " ",
                  h("span", { class: "symbol" }, quantity.symbol, quantity.unit && ` in ${quantity.unit}`),
                ),
                h(
                  "dd",
                  {},
                  h("p", {}, quantity.what),
                  h("p", { class: "formula" }, quantity.formula),
                  h("code", {}, quantity.key),
                ),
              ),
            ),
        ),
      ),
    ),
    h(
      "section",
      { class: "card glossary", id: "flags", tabindex: -1 },
      h("h2", {}, "Quality flags"),
      h(
        "dl",
        {},
        ...Object.entries(FLAGS).map(([name, { label, meaning }]) =>
          h("div", {}, h("dt", {}, label, " ", h("code", {}, name)), h("dd", {}, h("p", {}, meaning))),
        ),
      ),
    ),
    h(
      "section",
      { class: "card glossary", id: "not-a-fuse", tabindex: -1 },
      h("h2", {}, "What the protection is not"),
      h("ul", { class: "plain-list" }, ...NOT_A_FUSE.map((text) => h("li", {}, text))),
    ),
  );
}
