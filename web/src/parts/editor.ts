// A page of settings: loads them, says what is unsaved, sends what was changed, and explains what the plug refused.
import { api, Refused } from "../api/client";
import type { Kept } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { Form } from "../lib/form";
import type { Group } from "../lib/patch";
import { askBeforeLeaving } from "../lib/router";
import type { Lifetime } from "../lib/signal";

export interface Editor {
  form: Form;
  /** Goes below the inputs. */
  bar: HTMLElement;
  /** Reads the settings again; with `keep`, unsaved changes stay. */
  load: (keep?: boolean) => Promise<void>;
  /** Sends `patch`; true if the plug took it. */
  send: (patch: Group) => Promise<boolean>;
}

export function editor(life: Lifetime): Editor {
  const form = new Form();
  let etag: string | null = null;
  let busy = false;

  const state = h("p", { class: "save-state", role: "status" }, "Loading the settings…");
  const problem = h("div", { class: "save-problem", role: "alert" });
  const save = h("button", { type: "button", disabled: true, onclick: () => void saveAll() }, "Save");
  const discard = h(
    "button",
    {
      type: "button",
      class: "small",
      hidden: true,
      onclick: () => {
        form.load(form.base);
        problem.replaceChildren();
      },
    },
    "Discard",
  );

  const accept = (kept: Kept, keep: boolean): void => {
    etag = kept.etag;
    form.load(kept.settings, keep);
    problem.replaceChildren();
  };
  const load = async (keep = false): Promise<void> => {
    try {
      accept(await api.settings(), keep);
      setText(state, saved());
    } catch (error) {
      setText(state, "");
      const again = h("button", { type: "button", class: "small", onclick: () => void load(keep) }, "Try again");
      problem.replaceChildren(h("p", {}, (error as Error).message), again);
    }
  };
  const saved = (): string => {
    const { value } = form.changed;
    return value === 0 ? "Nothing unsaved." : `${value} unsaved ${value === 1 ? "change" : "changes"}.`;
  };

  const explain = (error: unknown): void => {
    if (error instanceof Refused && error.status === 412) {
      const answer = (label: string, keep: boolean): Node =>
        h("button", { type: "button", class: "small", onclick: () => void load(keep) }, label);
      problem.replaceChildren(
        h("p", {}, "Another tab or program has changed the settings meanwhile, so yours were not saved."),
        answer("Load the new ones, keep my changes", true),
        answer("Discard my changes", false),
      );
      return;
    }
    const rest = error instanceof Refused ? form.refuse(error.fields) : [];
    problem.replaceChildren(
      h("p", {}, (error as Error).message),
      h("ul", {}, ...rest.map((one) => h("li", {}, h("code", {}, one.field), ` ${one.message}`))),
    );
  };

  const send = async (patch: Group): Promise<boolean> => {
    if (busy) return false;
    busy = true;
    setAttribute(save, "disabled", true);
    setText(state, "Saving…");
    problem.replaceChildren();
    try {
      accept(await api.changeSettings(patch, etag), false);
      setText(state, "Saved.");
      // In sight for a moment, though nothing is unsaved any more.
      bar.classList.add("told");
      setTimeout(() => bar.classList.remove("told"), 4000);
      return true;
    } catch (error) {
      setText(state, saved());
      explain(error);
      return false;
    } finally {
      busy = false;
      setAttribute(save, "disabled", form.changed.value === 0);
    }
  };
  const saveAll = async (): Promise<void> => {
    const patch = form.patch();
    if (patch === null) {
      problem.replaceChildren(h("p", {}, "Something typed cannot be sent: see beside the input."));
      return;
    }
    await send(patch);
  };

  const bar = h("div", { class: "save-bar" }, problem, h("div", { class: "save-line" }, state, discard, save));
  life.watch(form.changed, (changed) => {
    setAttribute(save, "disabled", changed === 0);
    setAttribute(discard, "hidden", changed === 0);
    bar.classList.toggle("unsaved", changed > 0);
    setText(state, saved());
  });
  askBeforeLeaving(life, () =>
    form.changed.value > 0 ? "There are unsaved changes on this page. Leave it and lose them?" : null,
  );
  void load();
  return { form, bar, load, send };
}
