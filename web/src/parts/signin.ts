// Asking for the password: as a page, and as a dialog when a change needs it. The password itself is not kept anywhere.
import { NoAnswer, Refused, signIn } from "../api/client";
import { plug } from "../api/plug";
import { h, setAttribute, setText } from "../lib/dom";
import { showModal } from "../lib/modal";
import { secretInput } from "../lib/form";
import { duration } from "../lib/format";

/** What to say of a password that was not taken; counts down in `problem` while `button` must not be pressed. */
export function explainRefusal(error: unknown, problem: HTMLElement, button: HTMLButtonElement): void {
  if (!(error instanceof Refused) || error.status !== 429) {
    const wrong = error instanceof Refused && error.status === 401;
    setText(problem, wrong ? "This is not the password of this plug." : (error as Error).message);
    return;
  }
  const until = Date.now() + (error.wait || 30) * 1000;
  const left = h("span", { "aria-hidden": "true" });
  problem.replaceChildren(
    `Too many wrong passwords: the plug takes none from here for ${duration(error.wait || 30)}. `,
    left,
  );
  setAttribute(button, "disabled", true);
  const timer = setInterval(tick, 500);
  function tick(): void {
    const seconds = (until - Date.now()) / 1000;
    setText(left, seconds > 0 ? `${duration(Math.ceil(seconds))} left.` : "");
    if (seconds > 0) return;
    clearInterval(timer);
    setAttribute(button, "disabled", false);
    setText(problem, "Try again now.");
  }
  tick();
}

/** For password managers: they want to know whose password it is. */
export const userName = (): Node =>
  h("input", {
    "type": "text",
    "name": "username",
    "autocomplete": "username",
    "value": "admin",
    "class": "visually-hidden",
    "readonly": true,
    "tabindex": -1,
    "aria-hidden": "true",
    "aria-label": "User name",
  });

function signInForm(done: () => void, more: Node[] = []): HTMLFormElement {
  const problem = h("p", { class: "problem", role: "alert", id: "sign-in-problem" });
  const input = h("input", {
    "type": "password",
    "id": "password",
    "name": "password",
    "autocomplete": "current-password",
    "aria-describedby": problem.id,
    "autofocus": true,
  });
  const button = h("button", { type: "submit" }, "Sign in");
  const form = h(
    "form",
    { class: "sign-in" },
    userName(),
    h("label", { for: input.id }, "Password"),
    secretInput(input),
    problem,
    h("p", { class: "tools" }, button, ...more),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled || input.value === "") return;
    setText(problem, "");
    setAttribute(button, "disabled", true);
    try {
      await signIn(input.value);
      input.value = "";
      done();
    } catch (error) {
      setAttribute(button, "disabled", false);
      explainRefusal(error, problem, button);
      if (!(error instanceof NoAnswer)) input.select();
    }
  });
  return form;
}

/** Instead of any page while nobody may read, or when somebody wants to sign in. */
export function signInPage(): Node {
  const done = async (): Promise<void> => {
    if (location.hash === "#/sign-in") history.replaceState(null, "", "#/");
    await plug.meet();
  };
  const title = h("h1", {}, `Sign in to ${plug.info.value?.name ?? "this plug"}`);
  const closed = plug.info.value?.reading === "closed";
  return h(
    "div",
    { class: "narrow small-page" },
    title,
    h(
      "section",
      { "class": "card", "aria-label": "Sign in" },
      closed && h("p", { class: "hint" }, "Its readings are shown to those who are signed in."),
      signInForm(() => void done()),
    ),
    h(
      "p",
      { class: "hint" },
      "It is the password that was chosen at set-up. Forgotten? Only a factory reset with the button of the plug helps then: hold it for 10 seconds.",
    ),
  );
}

/** A dialog; answers whether somebody has signed in. */
export function askToSignIn(): Promise<boolean> {
  return new Promise((resolve) => {
    let ok = false;
    const cancel = h("button", { type: "button", class: "small", onclick: () => dialog.close() }, "Cancel");
    const done = (): void => {
      ok = true;
      dialog.close();
    };
    const dialog = h(
      "dialog",
      { "class": "explanation", "aria-labelledby": "sign-in-title" },
      h("h2", { id: "sign-in-title" }, "The password, please"),
      h(
        "p",
        { class: "hint" },
        "This needs the owner's password. It does not leave this browser: only a proof of it does, and what you were about to do goes on afterwards.",
      ),
      signInForm(done, [cancel]),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (ok) void plug.meet();
      resolve(ok);
    });
    showModal(dialog);
  });
}
