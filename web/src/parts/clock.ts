// What the plug's clock says, where it has that from, and how good it is.
import { offerTime } from "../api/clock";
import { api, NoAnswer } from "../api/client";
import { plug } from "../api/plug";
import type { TimeState } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { duration, moment, moments, sentence } from "../lib/format";
import type { Lifetime, Signal } from "../lib/signal";
import { timeOrigin } from "../texts/access";
import { poll } from "./poll";

const EVERY_MS = 5000;

function doubtText({ by_s: by, first }: NonNullable<TimeState["doubt"]>): string {
  const much = duration(Math.abs(by));
  if (!first) return `Somebody says that this is wrong by ${much}`;
  return `Somebody says a time that is ${much} ${by < 0 ? "before" : "after"} the log's newest row`;
}

/** Some sentences. */
export function clockText({
  time,
  source,
  from,
  uncertainty_s: uncertainty,
  age_s: age,
  doubt,
  asked,
}: TimeState): string {
  const parts = [
    time === null
      ? `The plug does not know the time${source === "none" ? ", and nobody is to tell it" : " yet"}.`
      : `The plug's clock says ${moment(time)}.`,
    from && `It has that from ${timeOrigin(from)}${age === null ? "" : `, ${duration(age)} ago`}.`,
    uncertainty !== null && `It is right to within ${moments(uncertainty)}.`,
    doubt && `${doubtText(doubt)}: believed when ${doubt.needed} agree, and ${doubt.answers} did.`,
    asked?.error && `${asked.server} was asked ${duration(asked.ago_s)} ago: ${sentence(asked.error.message)}`,
  ];
  return parts.filter(Boolean).join(" ");
}

/** `saved` rises when settings were loaded or stored: then the plug may want this browser's time. */
export function clockLine(life: Lifetime, saved: Signal<number>): HTMLElement {
  const line = h("p", { class: "clock-line", role: "status" });
  const work = async (): Promise<void> => {
    try {
      const state = await api.time();
      setText(line, clockText(state));
      setAttribute(line, "data-mood", state.time === null ? "warn" : "good");
    } catch (error) {
      if (!(error instanceof NoAnswer)) setText(line, "");
    }
  };
  const { poke } = poll(life, line, EVERY_MS, () => plug.link.value.state !== "gone", work);
  life.watch(saved, (count) => count > 0 && void offerTime().then(poke));
  return line;
}
