// Inputs from a table of fields: each with what it is for beside it, what it was refused for under it, and a clear "off"
// where there can be no value.
import type { Json } from "../api/types";
import { h, setAttribute, setText } from "./dom";
import { duration } from "./format";
import { type Group, patchOf, plainPath, same, valueAt } from "./patch";
import { Signal } from "./signal";

export interface Field {
  /** Where it lies in the settings, with dots. */
  path: string;
  kind: "text" | "list" | "secret" | "number" | "seconds" | "switch" | "choice";
  label: string;
  help?: string;
  unit?: string;
  /** What no value (null) means, where there may be none. */
  off?: string;
  /** An empty input is no value (null). */
  blank?: true;
  choices?: [string, string][];
}

/** What stands in an input. */
export interface Typed {
  text: string;
  checked: boolean;
  off: boolean;
}
export type Taken = { value: Json } | { problem: string };

/** The value that was typed, or what is wrong with it. Whether it is in range is for the plug to say. */
export function take(field: Field, typed: Typed, before: Json | undefined): Taken {
  if (field.off !== undefined && typed.off) return { value: null };
  switch (field.kind) {
    case "switch":
      return { value: typed.checked };
    case "secret":
      // The plug never tells it: nothing typed leaves it as it is.
      if (typed.text !== "") return { value: typed.text };
      return before === null && field.off !== undefined
        ? { problem: `Type it, or choose "${field.off}".` }
        : { value: before ?? null };
    case "number":
    case "seconds": {
      if (field.blank && typed.text.trim() === "") return { value: null };
      const value = Number(typed.text);
      if (typed.text.trim() !== "" && Number.isFinite(value)) return { value };
      return { problem: field.off === undefined ? "Give a number." : `Give a number, or choose "${field.off}".` };
    }
    case "list":
      return { value: typed.text.split(/[\s,]+/).filter(Boolean) };
    default:
      return { value: typed.text };
  }
}

/** How a value stands in its input. */
export function show(field: Field, value: Json | undefined): Typed {
  const off = value === null;
  if (field.kind === "secret") return { text: "", checked: false, off };
  if (Array.isArray(value)) return { text: value.join(" "), checked: false, off };
  return { text: value === null || value === undefined ? "" : String(value), checked: value === true, off };
}

/** One or more inputs for the value at a path. */
export interface Control {
  path: string;
  node: HTMLElement;
  /** `undefined`: this plug has no such field, and nothing is shown. */
  set: (value: Json | undefined) => void;
  take: () => Taken;
  /** Says beside the input what is wrong at `path`, which lies at or under the control's own; answers that input. */
  refuse: (path: string, message: string) => HTMLElement;
  /** Takes back what `refuse` said. */
  clear: () => void;
  /** Puts something typed into it, as a person would. */
  type?: (value: string) => void;
}

let count = 0;

/** A row for a field: what it is on the left, the input on the right. */
export function fieldControl(field: Field): Control {
  const id = `field-${++count}`;
  const described = [field.help && `${id}-help`, `${id}-error`].filter(Boolean).join(" ");
  const common = { id, "aria-describedby": described, "data-field": field.path };
  const input = makeInput(field, common);
  const off = field.off === undefined ? null : h("input", { type: "checkbox", id: `${id}-off` });
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
  const means = field.kind === "seconds" ? h("span", { class: "means" }) : null;
  let before: Json | undefined;

  const typed = (): Typed => ({
    text: input.value,
    checked: input instanceof HTMLInputElement && input.checked,
    off: off?.checked ?? false,
  });
  const follow = (): void => {
    input.disabled = off?.checked ?? false;
    if (means) {
      const seconds = Number(input.value);
      setText(means, !input.disabled && seconds >= 60 ? `= ${duration(seconds)}` : "");
    }
  };
  off?.addEventListener("change", () => {
    follow();
    if (!off.checked) input.focus();
  });
  input.addEventListener("input", follow);

  const node = h(
    "div",
    { class: `field ${field.kind}`, hidden: true },
    h(
      "div",
      { class: "field-what" },
      h("label", { for: id }, field.label),
      field.help && h("p", { class: "hint", id: `${id}-help` }, field.help),
    ),
    h(
      "div",
      { class: "field-input" },
      h(
        "span",
        { class: "with-unit" },
        field.kind === "secret" ? secretInput(input) : input,
        field.unit && h("span", { class: "unit" }, field.unit),
        means,
      ),
      off &&
        h(
          "label",
          { class: "off" },
          off,
          h("span", {}, field.off, h("span", { class: "visually-hidden" }, ` (${field.label})`)),
        ),
    ),
    error,
  );
  return {
    path: field.path,
    node,
    set(value) {
      before = value;
      const shown = show(field, value);
      input.value = shown.text;
      if (input instanceof HTMLInputElement) {
        input.checked = shown.checked;
        if (field.kind === "secret") input.placeholder = value === "set" ? "set; type to replace" : "";
      }
      if (off) off.checked = shown.off;
      setAttribute(node, "hidden", value === undefined);
      follow();
    },
    take: () => take(field, typed(), before),
    refuse(_, message) {
      setText(error, message);
      setAttribute(input, "aria-invalid", "true");
      return input.disabled && off ? off : input;
    },
    clear() {
      setText(error, "");
      setAttribute(input, "aria-invalid", null);
    },
    type(value) {
      if (off) off.checked = false;
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    },
  };
}

/** A password's input with a button that shows what was typed. */
export function secretInput(input: HTMLElement): HTMLElement {
  const button = h("button", { type: "button", class: "small" }, "Show");
  const show = (shown: boolean): void => {
    setAttribute(input, "type", shown ? "text" : "password");
    setAttribute(button, "aria-pressed", String(shown));
  };
  show(false);
  button.addEventListener("click", () => show(input.getAttribute("type") === "password"));
  const name = h("span", { class: "visually-hidden" }, " what was typed");
  button.append(name);
  return h("span", { class: "secret-input" }, input, button);
}

type Common = Record<string, string>;

function makeInput(field: Field, common: Common): HTMLInputElement | HTMLSelectElement {
  switch (field.kind) {
    case "choice":
      return h("select", common, ...(field.choices ?? []).map(([value, label]) => h("option", { value }, label)));
    case "switch":
      return h("input", { ...common, type: "checkbox", class: "toggle", role: "switch" });
    case "number":
    case "seconds":
      return h("input", { ...common, type: "number", step: "any", inputmode: "decimal" });
    case "secret":
      return h("input", { ...common, type: "password", autocomplete: "new-password" });
    default:
      return h("input", { ...common, type: "text", autocomplete: "off", spellcheck: "false" });
  }
}

/** Inputs that are loaded, compared and sent together. */
export class Form {
  readonly controls: Control[] = [];
  /** How many controls differ from what was loaded. */
  readonly changed = new Signal(0);
  /** Rises with every load. */
  readonly loaded = new Signal(0);
  #base: Group = {};

  add(control: Control): HTMLElement {
    this.controls.push(control);
    for (const event of ["input", "change"]) control.node.addEventListener(event, () => this.#follow(control));
    return control.node;
  }

  /** A row for each field. */
  rows(fields: Field[]): HTMLElement[] {
    return fields.map((field) => this.add(fieldControl(field)));
  }

  at(path: string): Control | undefined {
    return this.controls.find((control) => control.path === path);
  }

  /** What was loaded. */
  get base(): Group {
    return this.#base;
  }

  /** Shows `base`; with `keep`, what somebody changed stays typed and counts as changed against the new base. */
  load(base: Group, keep = false): void {
    const mine = keep ? this.controls.filter((control) => this.#differs(control)) : [];
    this.#base = base;
    for (const control of this.controls) {
      if (!mine.includes(control)) control.set(valueAt(base, control.path));
      control.clear();
    }
    this.#count();
    this.loaded.value++;
  }

  /** What to send; `null`, and said beside the inputs, if something typed cannot be sent. */
  patch(): Group | null {
    const values: [string, Json][] = [];
    let first: HTMLElement | undefined;
    for (const control of this.controls) {
      control.clear();
      if (valueAt(this.#base, control.path) === undefined) continue;
      const taken = control.take();
      if ("value" in taken) values.push([control.path, taken.value]);
      else first ??= control.refuse(control.path, taken.problem);
    }
    first?.focus();
    return first ? null : patchOf(this.#base, values);
  }

  /** Says beside each input why it was refused; answers those that have no input here. */
  refuse(fields: { field: string; message: string }[]): { field: string; message: string }[] {
    let first: HTMLElement | undefined;
    const rest = fields.filter(({ field, message }) => {
      const path = plainPath(field);
      const control = this.controls.find((one) => path === one.path || path.startsWith(`${one.path}.`));
      if (!control || control.node.hidden) return true;
      const input = control.refuse(path, message);
      first ??= input;
      return false;
    });
    first?.focus();
    return rest;
  }

  #differs(control: Control): boolean {
    const before = valueAt(this.#base, control.path);
    if (before === undefined) return false;
    const taken = control.take();
    return !("value" in taken) || !same(before, taken.value);
  }

  #follow(control: Control): void {
    control.clear();
    this.#count();
  }

  #count(): void {
    let changed = 0;
    for (const control of this.controls) {
      const differs = this.#differs(control);
      control.node.classList.toggle("changed", differs);
      if (differs) changed++;
    }
    this.changed.value = changed;
  }
}
