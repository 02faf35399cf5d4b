// The weekly schedule: whether it runs, what comes next, its entries, and the time zone that it goes by.
import { plug } from "../api/plug";
import type { RelayStatus } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { fieldControl } from "../lib/form";
import { duration, moment } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { editor } from "../parts/editor";
import { entriesControl } from "../parts/entries";
import { placeCard } from "../parts/place";

/** What the schedule does now, in one or two sentences. */
export function scheduleText(schedule: RelayStatus["schedule"], now: number): string {
  if (!schedule) return "This plug does not tell what its schedule does.";
  const why = schedule.reason ? `: ${schedule.reason}` : "";
  switch (schedule.state) {
    case "off":
      return "The schedule is off.";
    case "clock_untrusted":
      return "The schedule does not run: the plug does not know the time for sure.";
    case "no_edges":
      return `The schedule is on, but nothing switches${why}.`;
    default: {
      const { next } = schedule;
      const running = `The schedule is running${why}.`;
      if (!next) return running;
      const when = `${moment(next.time)}, in ${duration(next.time - now)}`;
      return `${running} Next it wants the socket ${next.on ? "on" : "off"}: ${when} (entry ${next.entry + 1}).`;
    }
  }
}

export function schedulePage(life: Lifetime): Node {
  const { form, bar } = editor(life);
  const now = h("p", { class: "schedule-now", role: "status" });
  const show = (): void => {
    const { schedule } = plug.relay.value ?? {};
    setText(now, scheduleText(schedule, Date.now() / 1000));
    setAttribute(now, "data-state", schedule?.state ?? "unknown");
  };
  life.watch(plug.relay, show);
  life.every(10_000, show);
  const enabled = fieldControl({
    path: "schedule.enabled",
    kind: "switch",
    label: "The schedule is on",
    help: "Whoever switches by hand has precedence, until the schedule's next time (see Settings, “Switching by hand holds”).",
  });
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Schedule"),
    h(
      "section",
      { "class": "card settings", "aria-labelledby": "schedule-title" },
      h("h2", { id: "schedule-title" }, "The week"),
      now,
      h("div", { class: "fields" }, form.add(enabled), form.add(entriesControl())),
      h(
        "p",
        { class: "hint" },
        "Each entry switches at its time and leaves the socket so until the next one. “Random” moves it up to so many seconds later, anew each day. A time that the change to summer time skips runs at the change; one that comes twice runs once.",
      ),
    ),
    placeCard(life, form),
    bar,
  );
}
