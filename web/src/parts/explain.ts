// "Explain": what a quantity is, its formula with the present numbers, and the window they come from.
import { plug } from "../api/plug";
import type { Reading } from "../api/types";
import { h, ICONS, icon } from "../lib/dom";
import { decimal, duration, quantity as format, moment } from "../lib/format";
import { showModal } from "../lib/modal";
import { calibration, type Quantity, whyMissing } from "../texts/quantities";

/** Name of a quantity that opens its explanation. */
export function explainButton(quantity: Quantity): HTMLButtonElement {
  return h(
    "button",
    {
      "type": "button",
      "class": "explain",
      "aria-haspopup": "dialog",
      "aria-label": `${quantity.name}: explain`,
      "onclick": () => open(quantity),
    },
    h("span", {}, quantity.name),
    h("span", { "class": "explain-mark", "aria-hidden": "true" }, "?"),
  );
}

function row(term: string, ...description: (string | Node)[]): Node {
  return h("div", {}, h("dt", {}, term), h("dd", {}, ...description));
}

function valueLine(quantity: Quantity, reading: Reading): Node {
  const value = quantity.value(reading);
  if (value === null) return h("p", { class: "explain-value" }, `Not there: ${whyMissing(quantity, reading)}.`);
  return h(
    "p",
    { class: "explain-value" },
    `${quantity.symbol} = `,
    h("strong", {}, `${format(value, quantity.unit)}\u00a0${quantity.unit}`.trim()),
  );
}

function origin(quantity: Quantity, reading: Reading): Node {
  const { window } = reading;
  const value = quantity.value(reading);
  return h(
    "dl",
    { class: "facts" },
    row("Window", `number ${reading.sequence}${reading.time === null ? "" : `, ended ${moment(reading.time)}`}`),
    row("Cycles", window.cycles === null ? "none found: cut by time" : String(window.cycles)),
    row("Samples", `${window.samples} pairs at ${decimal(window.sample_rate_hz, 0)} a second, ${window.lost} lost`),
    row("Length", `${decimal(window.duration_s, 6)} s`),
    row("Calibration", calibration(reading)),
    row("Plug running for", duration(reading.uptime_s)),
    row("On the wire", h("code", {}, `${quantity.key}: ${value === null ? "null" : String(value)}`)),
  );
}

function open(quantity: Quantity): void {
  const reading = plug.reading.value;
  const worked = reading && quantity.worked?.(reading);
  const close = (): void => dialog.close();
  const dialog = h(
    "dialog",
    { "class": "explanation", "aria-labelledby": "explanation-title" },
    h(
      "header",
      {},
      h("h2", { id: "explanation-title" }, quantity.name),
      h("button", { "type": "button", "class": "plain", "aria-label": "Close", "onclick": close }, icon(ICONS.close)),
    ),
    reading && valueLine(quantity, reading),
    h("p", {}, quantity.what),
    h("p", { class: "formula" }, quantity.formula),
    worked && h("p", { class: "worked" }, h("span", {}, "With these numbers"), worked),
    reading && h("h3", {}, "Where this number comes from"),
    reading && origin(quantity, reading),
    h(
      "p",
      { class: "hint" },
      reading ? "The numbers here stand still; the page behind goes on. " : "",
      h("a", { href: "#/learn", onclick: close }, "All quantities and flags"),
    ),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => dialog.remove());
  showModal(dialog);
}
