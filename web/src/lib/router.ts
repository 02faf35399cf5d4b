// Pages by the part of the address after `#/`, so that the plug serves one document.
import { question as ask } from "../parts/question";
import { h } from "./dom";
import { Lifetime } from "./signal";

export interface Page {
  /** First word after `#/`; empty for the start page. */
  path: string;
  /** In the navigation bar and in the title of the document. */
  label: string;
  /** Builds the page; what it starts it hands to `life`. `rest` is what follows the path. */
  render: (life: Lifetime, rest: string) => Node | Promise<Node>;
}

/** The words of the address: the page, and a place on it. The document lies at `/update` too, for who looks for it there. */
export function here(): [string, string[]] {
  const [path = "", ...rest] = (location.hash || `#${location.pathname}`).replace(/^#\/?/, "").split("/");
  return [path, rest];
}

/** What would be lost by leaving this page now, as a question; `null`: nothing. A page sets it and its end clears it. */
export const leaving: { question: () => string | null } = { question: () => null };

/** Asks before the tab is closed or another page is shown while `question` answers one. */
export function askBeforeLeaving(life: Lifetime, question: () => string | null): void {
  leaving.question = question;
  life.listen(window, "beforeunload", (event) => question() !== null && event.preventDefault());
  life.add(() => {
    leaving.question = () => null;
  });
}

/**
 * Shows the page of the present address in `main` and follows the address. `instead` may answer another page for a path;
 * call the answer when it does so anew.
 */
export function startRouter(
  pages: Page[],
  main: HTMLElement,
  onShow: (page: Page) => void,
  instead: (path: string) => Page | undefined,
): () => void {
  let life = new Lifetime();
  let shownAt = location.hash;
  let shown: Page | undefined;
  let asking = false;

  const arrive = (rest: string[], byUser: boolean): void => {
    const target = rest.length > 0 ? document.getElementById(rest.join("/")) : null;
    if (target) target.scrollIntoView();
    else if (byUser) scrollTo(0, 0);
    if (target || byUser) (target ?? main).focus({ preventScroll: true });
  };
  const show = (byUser: boolean): void => {
    const [path, rest] = here();
    const page = instead(path) ?? pages.find((candidate) => candidate.path === path) ?? pages[0];
    if (!page || (page === shown && !byUser)) return;
    if (page === shown && rest.length > 0) {
      shownAt = location.hash;
      arrive(rest, byUser); // A place on this page: what was typed into it stays.
      return;
    }
    const question = leaving.question();
    if (question !== null) {
      const wanted = location.hash;
      if (wanted !== shownAt) history.pushState(null, "", shownAt || "#"); // It has changed already; this does not call `show`.
      if (asking) return;
      asking = true;
      void ask("Leave this page?", question, "Leave it")
        .finally(() => {
          asking = false;
        })
        .then((yes) => {
          if (!yes) return;
          leaving.question = () => null;
          if (location.hash === wanted) show(byUser);
          else location.hash = wanted;
        });
      return;
    }
    shownAt = location.hash;
    shown = page;
    life.end();
    life = new Lifetime();
    onShow(page);
    const built = page.render(life, rest.join("/"));
    if (built instanceof Node) {
      main.replaceChildren(built);
      arrive(rest, byUser);
      return;
    }
    const mine = life;
    main.replaceChildren(h("p", { class: "hint" }, "Fetching this page from the plug…"));
    if (byUser) main.focus({ preventScroll: true });
    built.then(
      (node) => {
        if (mine.over) return;
        main.replaceChildren(node);
        arrive(rest, byUser);
      },
      () => {
        if (mine.over) return;
        const again = h("button", { type: "button", onclick: () => location.reload() }, "Try again");
        main.replaceChildren(h("p", { role: "alert" }, "The plug did not hand out this page. "), again);
      },
    );
  };
  addEventListener("hashchange", () => show(true));
  show(false);
  return () => show(false);
}
