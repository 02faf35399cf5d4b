// The first minutes of a plug: one form that makes somebody its owner, the button that confirms it, and signed in.
import { api, desk, NoAnswer, Refused, signIn } from "../api/client";
import { plug } from "../api/plug";
import type { Json, SetupState } from "../api/types";
import { h, setAttribute, setText } from "../lib/dom";
import { type Field, Form } from "../lib/form";
import { duration, withUnit } from "../lib/format";
import type { Lifetime } from "../lib/signal";
import { browserZone, zones } from "../lib/zonefile";
import { findZone } from "../lib/zones";
import { joinPart } from "../parts/join";
import { userName } from "../parts/signin";
import { LEAST, strength, TIME_SOURCES, timeSource } from "../texts/access";

const WHO: Field[] = [
  { path: "name", kind: "text", label: "Name", help: "What people call this plug." },
  {
    path: "password",
    kind: "secret",
    label: "Owner's password",
    help: "Whoever has it may do everything. Only a factory reset helps those who forget it.",
  },
  { path: "again", kind: "secret", label: "The same again" },
];
const OWN: Field[] = [
  {
    path: "access_point_password",
    kind: "secret",
    label: "Password of the plug's own access point",
    help: "8 to 63 characters. Empty: the owner's password. Your phone has to join it anew with this, and may ask you for it.",
  },
];
const TIME: Field[] = [
  { path: "time.zone", kind: "text", label: "Time zone", help: "Proposed by this browser." },
  {
    path: "time.source",
    kind: "choice",
    label: "Who tells the time",
    choices: TIME_SOURCES.map(([value, name]) => [value, name]),
  },
];

/** What the plug measures, while nobody owns it yet. */
function liveLine(life: Lifetime): HTMLElement {
  const numbers = h("strong");
  life.watch(plug.reading, (reading) => {
    if (!reading) return;
    const { active_power_w: power, voltage_v: voltage, current_a: current } = reading;
    setText(numbers, [withUnit(power, "W"), withUnit(voltage, "V"), withUnit(current, "A")].join(" · "));
  });
  return h(
    "p",
    { class: "setup-live" },
    "It measures already: ",
    numbers,
    ". ",
    h("a", { href: "#/look" }, "Look at the readings"),
  );
}

function fields(form: Form, id: string, title: string, rows: Field[], ...after: Node[]): HTMLElement {
  return h(
    "section",
    { "class": "card settings", "aria-labelledby": id },
    h("h2", { id }, title),
    h("div", { class: "fields" }, ...form.rows(rows)),
    ...after,
  );
}

/** What was typed, as the plug wants it. */
function wish(form: Form, posix: (zone: string) => string | undefined): { [name: string]: Json } {
  const value = (path: string): string => {
    const taken = form.at(path)?.take();
    return taken && "value" in taken ? String(taken.value ?? "") : "";
  };
  const zone = value("time.zone");
  const rules = posix(zone);
  return {
    password: value("password"),
    ...(value("name") && { name: value("name") }),
    ...(value("access_point_password") && { access_point_password: value("access_point_password") }),
    time: { ...(rules && { zone, posix: rules }), source: value("time.source") },
  };
}

export async function setupPage(life: Lifetime): Promise<Node> {
  const state = await api.setup();
  const least = state.password_characters ?? LEAST;
  const table = await zones().catch(() => new Map<string, string>());
  const form = new Form();
  const page = h("div", { class: "narrow setup" });
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { type: "submit" }, "Make this plug mine");

  const hint = h("p", { class: "hint", role: "status" }, strength("", least));
  const names = h("datalist", { id: "zones" }, ...[...table.keys()].map((name) => h("option", { value: name })));
  const goesOut = h("p", { class: "hint", role: "status" });
  const element = h(
    "form",
    { novalidate: true },
    userName(),
    fields(form, "owner-title", "You", WHO),
    fields(form, "own-title", "Access point", OWN),
    fields(form, "time-title", "Time", TIME, names, goesOut),
    problem,
    h("p", { class: "tools" }, submit),
    h(
      "p",
      { class: "hint" },
      state.button
        ? "Then press the button of the plug, so that it knows you are beside it."
        : "This plug has no button in reach: it is yours at once.",
    ),
  );
  form.load({
    name: state.proposed?.name ?? "",
    password: "",
    again: "",
    access_point_password: "",
    time: { zone: findZone(table, browserZone())?.zone ?? "", source: "none" },
  });
  const input = (path: string): HTMLInputElement => element.querySelector(`[data-field="${path}"]`) as HTMLInputElement;
  input("password").closest(".field")?.querySelector(".field-input")?.append(hint);
  input("password").addEventListener("input", () => setText(hint, strength(input("password").value, least)));
  setAttribute(input("time.zone"), "list", names.id);
  const explain = (): void => setText(goesOut, timeSource(input("time.source").value));
  input("time.source").addEventListener("change", explain);
  explain();

  /** What can be seen to be wrong without the plug. */
  const wrong = (): { field: string; message: string }[] => {
    const { value } = input("password");
    if ([...value].length < least) return [{ field: "password", message: strength(value, least) }];
    if (value !== input("again").value) return [{ field: "again", message: "These two are not the same." }];
    const zone = input("time.zone").value;
    if (zone && !table.has(zone)) return [{ field: "time.zone", message: "Not in the list; empty: UTC." }];
    return [];
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const control of form.controls) control.clear();
    setText(problem, "");
    if (form.refuse(wrong()).length > 0 || element.querySelector("[aria-invalid]")) return;
    setAttribute(submit, "disabled", true);
    desk.claiming = true;
    try {
      const asked = wish(form, (zone) => table.get(zone));
      const answer = await api.claim(asked);
      const own = state.proposed?.access_point_ssid;
      const finish = (): void => void finished(life, page, String(asked.password), own);
      if (answer?.setup_complete) finish();
      else waitForButton(life, page, element, answer, finish);
    } catch (error) {
      // By the settings' names, where the plug asked those.
      const fields = (error instanceof Refused ? error.fields : []).map((one) => ({
        ...one,
        field: one.field.replace(/^(device|wifi)\.(?=name|access_point)/, ""),
      }));
      const rest = form.refuse(fields);
      desk.claiming = false;
      const more = rest.map((one) => ` ${one.field}: ${one.message}.`).join("");
      setText(problem, `${(error as Error).message}${more}`);
      if (error instanceof Refused && error.code === "already_set_up") void plug.meet();
    } finally {
      setAttribute(submit, "disabled", false);
    }
  });
  life.add(() => {
    desk.claiming = false;
  });
  page.append(
    h("h1", {}, "Make this plug yours"),
    liveLine(life),
    h(
      "div",
      { class: "alert warn" },
      h(
        "p",
        {},
        h("strong", {}, "Do this now. "),
        "A new plug has a password that everybody can look up, so anyone nearby could claim it before you. With your own password that ends.",
      ),
    ),
    element,
  );
  return page;
}

/** The claim lies with the plug; somebody who can touch it confirms it. */
function waitForButton(
  life: Lifetime,
  page: HTMLElement,
  element: HTMLElement,
  answer: SetupState | null,
  finish: () => void,
): void {
  const count = h("strong", { "class": "countdown", "aria-hidden": "true" });
  const problem = h("p", { class: "problem", role: "alert" });
  const back = (why: string): void => {
    clearInterval(timer);
    desk.claiming = false;
    card.replaceWith(element);
    setText(element.querySelector(".problem") as Element, why);
  };
  const card = h(
    "section",
    { "class": "card press", "aria-labelledby": "press-title", "tabindex": -1 },
    h("h2", { id: "press-title" }, "Now press the button of the plug"),
    h("p", {}, "Once, shortly, the button on its housing. The socket does not switch with this press."),
    h("p", {}, count),
    problem,
    h(
      "p",
      { class: "tools" },
      h("button", { type: "button", class: "small", onclick: () => back("") }, "Back to the form"),
    ),
  );
  let until = Date.now() + (answer?.expires_in_s ?? 120) * 1000;
  let busy = false;
  const ask = async (): Promise<void> => {
    const { setup_complete: complete, waiting } = await api.setup();
    if (life.over || !card.isConnected) return;
    if (complete) {
      clearInterval(timer);
      finish();
    } else if (waiting) until = Date.now() + waiting.expires_in_s * 1000;
    // Before that, it was pressed and is being stored.
    else if (Date.now() >= until) back("Nobody pressed the button in time. Send it again, and press it then.");
  };
  const timer = setInterval(() => {
    setText(count, `${duration(Math.max(0, Math.ceil((until - Date.now()) / 1000)))} left`);
    if (busy) return;
    busy = true;
    ask()
      .then(
        () => setText(problem, ""),
        (error: Error) => setText(problem, error.message),
      )
      .finally(() => {
        busy = false;
      });
  }, 1000);
  life.add(() => clearInterval(timer));
  element.replaceWith(card);
  card.focus();
  page.scrollIntoView();
}

/** It has an owner now: in, to the network, and on. */
async function finished(life: Lifetime, page: HTMLElement, password: string, own: string | undefined): Promise<void> {
  const go = async (): Promise<void> => {
    history.replaceState(null, "", "#/");
    await plug.meet();
    desk.claiming = false;
    dispatchEvent(new Event("hashchange"));
  };
  const button = (label: string, run: () => void): HTMLElement => h("button", { type: "button", onclick: run }, label);
  const ending = (title: string, words: string, label: string, next: () => void): void => {
    const tools = h("p", { class: "tools" }, button(label, next));
    const card = h(
      "section",
      { "class": "card press", "aria-labelledby": "done-title", "tabindex": -1 },
      h("h2", { id: "done-title" }, title),
      h("p", { role: "status" }, words),
      tools,
    );
    page.replaceChildren(card);
    card.focus();
  };
  try {
    await signIn(password);
    const { available } = await api.wifi();
    if (available) network(life, page, own, go);
    else await go();
  } catch (error) {
    if (error instanceof NoAnswer)
      ending(
        "This plug is yours",
        "Its access point is just taking its new name and password, so your phone may have left it. Join it again, with the password that you chose, and go on.",
        "Go on",
        () => void finished(life, page, password, own),
      );
    else
      ending(
        "The plug has an owner now",
        "The password that you chose is not the one: somebody else claimed it before you. If that was nobody you know, hold its button for 10 s, which resets it, and begin again.",
        "Sign in",
        () => void go(),
      );
  }
}

/** The last step: a network, if one is wanted. */
function network(life: Lifetime, page: HTMLElement, own: string | undefined, go: () => Promise<void>): void {
  const leave = (label: string, kind?: string): HTMLElement =>
    h("button", { type: "button", class: kind, onclick: () => void go() }, label);
  const later = h("p", { class: "tools" }, leave("Later", "small"));
  const title = h("h1", { tabindex: -1 }, "This plug is yours: now its network");
  page.replaceChildren(
    title,
    h(
      "p",
      { class: "lead" },
      "Your phone may say that there is no internet here: stay all the same. ",
      own ? `The plug's access point is called “${own}” from now on and has the password that you chose. ` : "",
      "Whatever is tried, the plug stays in reach there.",
    ),
    h(
      "section",
      { "class": "card settings", "aria-label": "Network" },
      joinPart(life, {
        own,
        setHost: (host) => api.changeSettings({ device: { host } }, null),
        kept: () => later.remove(),
        after: leave("Go on"),
      }),
    ),
    later,
  );
  title.focus();
}
