// Who may do what: who is signed in, the password, open reading, and tokens for programs.
import { api, Refused, signer, signIn } from "../api/client";
import { plug } from "../api/plug";
import type { Right, Token } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { fieldControl, secretInput } from "../lib/form";
import { duration, moment } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { editor } from "../parts/editor";
import { groupCard } from "../parts/groups";
import { question } from "../parts/question";
import { explainRefusal, userName } from "../parts/signin";
import { ACCESS, LEAST, strength } from "../texts/access";

const SCOPES: [Right, string][] = [
  ["read", "read: look, change nothing"],
  ["control", "control: read, and switch the socket"],
  ["admin", "admin: everything"],
];

function whoCard(life: Lifetime): HTMLElement {
  const state = h("p", { role: "status" }, "…");
  life.watch(plug.who, async () => {
    try {
      const { by, expires_in_s: left } = await api.session();
      const until = left === null ? "" : `, for another ${duration(left)}`;
      setText(state, by === "open" ? "You are not signed in." : `You are signed in on this browser${until}.`);
    } catch (error) {
      setText(state, (error as Error).message);
    }
  });
  return h("section", { "class": "card", "aria-label": "Signed in" }, state);
}

function passwordCard(): HTMLElement {
  const problem = h("p", { class: "problem", role: "alert" });
  const note = h("p", { role: "status" });
  const hint = h("p", { class: "hint", role: "status" }, strength(""));
  const secret = (id: string, label: string, autocomplete: string): [HTMLInputElement, Node] => {
    const input = h("input", { type: "password", id, autocomplete });
    return [input, h("div", { class: "field" }, h("label", { for: id }, label), secretInput(input))];
  };
  const [present, presentRow] = secret("present-password", "Present password", "current-password");
  const [next, nextRow] = secret("new-password", "New password", "new-password");
  const [again, againRow] = secret("new-password-again", "The same again", "new-password");
  const submit = h("button", { type: "submit" }, "Change the password");
  next.addEventListener("input", () => setText(hint, strength(next.value)));
  const form = h(
    "form",
    { novalidate: true, class: "fields" },
    userName(),
    presentRow,
    nextRow,
    againRow,
    hint,
    problem,
    note,
    h("p", { class: "tools" }, submit),
  );
  const fail = (input: HTMLInputElement, message: string): void => {
    setText(problem, message);
    input.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(problem, "");
    setText(note, "");
    if ([...next.value].length < LEAST) return fail(next, strength(next.value));
    if (next.value !== again.value) return fail(again, "The new one is not the same twice.");
    setAttribute(submit, "disabled", true);
    try {
      await signIn(present.value);
      await api.changePassword(next.value);
      form.reset();
      setText(hint, strength(""));
      setText(note, "The password is changed. Everybody else was signed out.");
      setAttribute(submit, "disabled", false);
    } catch (error) {
      setAttribute(submit, "disabled", false);
      explainRefusal(error, problem, submit);
      if (error instanceof Refused && error.status === 401) present.focus();
    }
  });
  return h(
    "section",
    { "class": "card settings", "aria-labelledby": "password-title" },
    h("h2", { id: "password-title" }, "Password"),
    h("p", { class: "hint" }, "All sessions end; tokens stay. The access point keeps its own password."),
    form,
  );
}

/** Into the clipboard; the old way too, because browsers keep the new one from plain HTTP. */
function copy(from: HTMLInputElement): boolean {
  from.select();
  return document.execCommand("copy");
}

function newToken(token: string): HTMLElement {
  const shown = h("input", {
    "type": "text",
    "readonly": true,
    "value": token,
    "aria-label": "The token",
    "class": "token",
  });
  const copied = h("span", { class: "hint", role: "status" });
  const button = h(
    "button",
    { type: "button", class: "small", onclick: () => setText(copied, copy(shown) ? "Copied." : "Press Ctrl+C.") },
    "Copy",
  );
  return h(
    "div",
    { class: "proposal" },
    h("p", {}, h("strong", {}, "Copy it now: it is not shown again.")),
    h("p", { class: "tools" }, shown, button, copied),
    h("code", { class: "curl" }, `curl -H "Authorization: Bearer ${token}" ${location.origin}/api/v1/reading`),
  );
}

function tokensCard(): HTMLElement {
  const list = h("ul", { class: "tokens" });
  const fresh = h("div");
  const problem = h("p", { class: "problem", role: "alert" });
  const trying = async (action: () => Promise<unknown>): Promise<void> => {
    setText(problem, "");
    try {
      await action();
    } catch (error) {
      setText(problem, (error as Error).message);
    }
  };
  const row = ({ id, name, scope, created }: Token): Node => {
    const revoke = async (): Promise<void> => {
      if (!(await question(`Revoke the token “${name}”?`, "The program that has it is locked out at once.", "Revoke")))
        return;
      void trying(async () => {
        await api.revokeToken(id);
        fresh.replaceChildren();
        await load();
      });
    };
    return h(
      "li",
      {},
      h("strong", {}, name),
      h("span", { class: "tag" }, scope),
      h("span", { class: "hint" }, created === null ? "" : moment(created)),
      h(
        "button",
        { "type": "button", "class": "small", "aria-label": `Revoke ${name}`, "onclick": () => void revoke() },
        "Revoke",
      ),
    );
  };
  const load = async (): Promise<void> => {
    const tokens = await api.tokens();
    list.replaceChildren(...(tokens.length > 0 ? tokens.map(row) : [h("li", { class: "hint" }, "None.")]));
  };
  const name = fieldControl({ path: "token.name", kind: "text", label: "For which program" });
  const scope = fieldControl({ path: "token.scope", kind: "choice", label: "It may", choices: SCOPES });
  const clean = (): void => {
    name.set("");
    scope.set("read");
  };
  clean();
  const form = h(
    "form",
    { novalidate: true },
    h("div", { class: "fields" }, name.node, scope.node),
    h("p", { class: "tools" }, h("button", { type: "submit", class: "small" }, "Make a token")),
  );
  const typed = (control: typeof name): string => {
    const taken = control.take();
    return "value" in taken ? String(taken.value).trim() : "";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    name.clear();
    if (typed(name) === "") {
      name.refuse(name.path, "Give it a name, so that you know which one to revoke.").focus();
      return;
    }
    void trying(async () => {
      const made = await api.makeToken(typed(name), typed(scope) as Right);
      if (made) fresh.replaceChildren(newToken(made.token));
      fresh.querySelector("input")?.select();
      clean();
      await load();
    });
  });
  const ask = h("button", { type: "button", class: "small", onclick: () => void trying(load) }, "Show them");
  if (signer.able) void trying(load);
  else list.replaceChildren(h("li", {}, ask));
  return h(
    "section",
    { "class": "card settings", "id": "tokens", "tabindex": -1, "aria-labelledby": "tokens-title" },
    h("h2", { id: "tokens-title" }, "Tokens for programs"),
    h(
      "p",
      { class: "hint" },
      "A program signs in with a token instead of your password. Each can be revoked by itself; the plug keeps only a hash.",
    ),
    list,
    fresh,
    problem,
    form,
  );
}

export function accessPage(life: Lifetime): Node {
  const { form, bar } = editor(life);
  return h(
    "div",
    { class: "narrow" },
    h("h1", {}, "Access"),
    whoCard(life),
    passwordCard(),
    tokensCard(),
    groupCard(form, ACCESS),
    bar,
  );
}
