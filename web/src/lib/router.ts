// Pages by the part of the address after `#/`, so that the plug serves one document.
import { Lifetime } from "./signal";

export interface Page {
  /** First word after `#/`; empty for the start page. */
  path: string;
  /** In the navigation bar and in the title of the document. */
  label: string;
  /** Builds the page; what it starts it hands to `life`. `rest` is what follows the path. */
  render: (life: Lifetime, rest: string) => Node;
}

/** Shows the page of the present address in `main` and follows the address. */
export function startRouter(pages: Page[], main: HTMLElement, onShow: (page: Page) => void): void {
  let life = new Lifetime();
  const show = (byUser: boolean): void => {
    const [path = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const page = pages.find((candidate) => candidate.path === path) ?? pages[0];
    if (!page) return;
    life.end();
    life = new Lifetime();
    main.replaceChildren(page.render(life, rest.join("/")));
    onShow(page);
    if (!byUser) return;
    const target = rest.length > 0 ? document.getElementById(rest.join("/")) : null;
    if (target) target.scrollIntoView();
    else scrollTo(0, 0);
    (target ?? main).focus({ preventScroll: true });
  };
  addEventListener("hashchange", () => show(true));
  show(location.hash.includes("/", 2));
}
