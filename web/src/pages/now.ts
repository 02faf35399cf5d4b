// The start page: power, relay, numbers, scope, harmonics, all of this moment.
import { h } from "../lib/dom";
import type { Lifetime } from "../lib/signal";
import { explainButton } from "../parts/explain";
import { harmonics } from "../parts/harmonics";
import { lastMinutes } from "../parts/minutes";
import { liveValue, markStale, numberCards, originLine, watchReadings } from "../parts/numbers";
import { relayCard } from "../parts/relay";
import { scope } from "../parts/scope";
import { quantityOf } from "../texts/quantities";

function powerCard(life: Lifetime): HTMLElement {
  const power = quantityOf("activePower");
  const value = liveValue(power);
  watchReadings(life, value.update);
  return h(
    "section",
    { "class": "card power hero", "aria-labelledby": "power-title" },
    h("header", {}, h("h2", { id: "power-title" }, explainButton(power))),
    h("p", { class: "big" }, value.node),
    lastMinutes(life),
  );
}

export function nowPage(life: Lifetime): Node {
  const age = h("p", { class: "age", hidden: true });
  const page = h(
    "div",
    { class: "now" },
    h("h1", { class: "visually-hidden" }, "Now"),
    age,
    h("div", { class: "top" }, powerCard(life), relayCard(life, { more: h("a", { href: "#/control" }, "More") })),
    originLine(life),
    numberCards(life),
    h("div", { class: "pictures" }, scope(life), harmonics(life)),
  );
  markStale(life, page, age);
  return page;
}
