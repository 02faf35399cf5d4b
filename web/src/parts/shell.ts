// What surrounds every page: what this plug is, the navigation, the theme, the banner.
import { signOut } from "../api/client";
import { plug } from "../api/plug";
import { h, ICONS, icon, setAttribute, setText } from "../lib/dom";
import type { Page } from "../lib/router";
import { theme, toggleTheme } from "../lib/theme";
import { banner } from "./banner";

const LINK_WORDS = {
  connecting: "connecting",
  live: "live",
  polling: "every 2 s",
  gone: "no answer",
  closed: "signed out",
} as const;

function identity(): HTMLElement {
  const name = h("span", { class: "plug-name" }, "OSSP");
  const detail = h("span", { class: "plug-detail" });
  const virtual = h(
    "span",
    { class: "badge", hidden: true, title: "A program on a computer: no hardware, no mains" },
    "Virtual",
  );
  plug.info.watch((info) => {
    if (!info) return;
    setText(name, info.name);
    const named = info.name.includes(info.id) ? [] : [info.id];
    setText(detail, [...named, `version ${info.version}`, info.source].filter(Boolean).join(" · "));
    setAttribute(virtual, "hidden", info.board !== "virtual");
  });
  return h("div", { class: "identity" }, h("div", { class: "identity-line" }, name, virtual), detail);
}

function linkState(): HTMLElement {
  const text = h("span", {}, LINK_WORDS.connecting);
  const node = h("span", { "class": "link-state", "data-link": "connecting" }, h("i", { "aria-hidden": "true" }), text);
  plug.link.watch(({ state }) => {
    setAttribute(node, "data-link", state);
    setText(text, LINK_WORDS[state]);
  });
  return node;
}

function themeButton(): HTMLElement {
  const button = h("button", { type: "button", class: "plain", onclick: toggleTheme });
  theme.watch((now) => {
    button.replaceChildren(icon(now === "dark" ? ICONS.sun : ICONS.moon));
    setAttribute(button, "aria-label", now === "dark" ? "Use light colours" : "Use dark colours");
  });
  return button;
}

/** In or out, whichever there is to do. */
function accountButton(): HTMLElement {
  const act = async (): Promise<void> => {
    if (plug.who.value !== "in") {
      location.hash = "#/sign-in";
      return;
    }
    try {
      await signOut();
    } finally {
      await plug.meet();
    }
  };
  const button = h("button", { type: "button", class: "small account", onclick: () => void act() });
  plug.who.watch((who) => {
    setText(button, who === "in" ? "Sign out" : "Sign in");
    setAttribute(button, "hidden", who !== "in" && who !== "anonymous");
  });
  return button;
}

export interface Shell {
  main: HTMLElement;
  show: (page: Page) => void;
}

/** Builds it into the document. */
export function shell(pages: Page[]): Shell {
  const main = h("main", { id: "main", tabindex: -1 });
  const links = pages.map((page) => h("a", { href: `#/${page.path}` }, page.label));
  const list = h("ul", { id: "pages" }, ...links.map((link) => h("li", {}, link)));
  const menu = h("button", {
    "type": "button",
    "class": "plain menu",
    "aria-expanded": "false",
    "aria-controls": "pages",
  });
  const expand = (open: boolean): void => {
    setAttribute(menu, "aria-expanded", String(open));
    setAttribute(menu, "aria-label", open ? "Close the menu" : "Open the menu");
    menu.replaceChildren(icon(open ? ICONS.close : ICONS.menu));
    list.classList.toggle("open", open);
  };
  expand(false);
  menu.addEventListener("click", () => expand(menu.getAttribute("aria-expanded") !== "true"));
  const nav = h("nav", { "aria-label": "Pages" }, list);
  plug.who.watch((who) => {
    for (const part of [nav, menu]) setAttribute(part, "hidden", who !== "in" && who !== "anonymous");
  });
  const header = h(
    "header",
    { class: "bar" },
    h(
      "div",
      { class: "bar-inner" },
      h("button", { type: "button", class: "skip", onclick: () => main.focus() }, "Skip to the content"),
      identity(),
      linkState(),
      nav,
      accountButton(),
      themeButton(),
      menu,
    ),
  );
  header.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || menu.getAttribute("aria-expanded") !== "true") return;
    expand(false);
    menu.focus();
  });
  document.body.replaceChildren(header, banner(), main);

  let shown: Page | undefined;
  const title = (): void => {
    document.title = [shown?.path ? shown.label : null, plug.info.value?.name, "OSSP smart plug"]
      .filter(Boolean)
      .join(" · ");
  };
  plug.info.watch(title);
  return {
    main,
    show(page) {
      shown = page;
      for (const [n, link] of links.entries()) setAttribute(link, "aria-current", pages[n] === page ? "page" : null);
      expand(false);
      title();
    },
  };
}
