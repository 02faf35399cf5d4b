// Starts the page. A new page is a line in PAGES, and here or in pages.ts its file.
import { startClock } from "./api/clock";
import { desk } from "./api/client";
import { plug } from "./api/plug";
import { h } from "./lib/dom";
import { type Page, startRouter } from "./lib/router";
import { startTheme } from "./lib/theme";
import { aboutPage } from "./pages/about";
import { nowPage } from "./pages/now";
import { shell } from "./parts/shell";

type Later = typeof import("./pages");

/** A page of the second script, which is fetched when the first of them is opened. */
const later =
  (name: keyof Later["pages"]): Page["render"] =>
  async (life, rest) => {
    const { pages } = (await import(PAGES_URL)) as Later;
    const render: Page["render"] = pages[name];
    return render(life, rest);
  };

const PAGES: Page[] = [
  { path: "", label: "Now", render: nowPage },
  { path: "history", label: "History", render: later("history") },
  { path: "control", label: "Control", render: later("control") },
  { path: "energy", label: "Energy", render: later("energy") },
  { path: "schedule", label: "Schedule", render: later("schedule") },
  { path: "protection", label: "Protection", render: later("protection") },
  { path: "report", label: "Report", render: later("report") },
  { path: "network", label: "Network", render: later("network") },
  { path: "settings", label: "Settings", render: later("settings") },
  { path: "access", label: "Access", render: later("access") },
  { path: "leaves", label: "What leaves", render: later("leaves") },
  { path: "update", label: "Update", render: later("update") },
  { path: "learn", label: "Learn", render: later("learn") },
  { path: "about", label: "This plug", render: aboutPage },
];

const wait = (): Node => h("p", { class: "hint" }, "Asking the plug…");
const WAIT: Page = { path: "", label: "", render: wait };
const SETUP: Page = { path: "setup", label: "Set up", render: later("setup") };
const SIGN_IN: Page = { path: "sign-in", label: "Sign in", render: later("signIn") };

/** Before the plug has an owner, and for those who may read nothing, every address but one is the same page. */
function instead(path: string): Page | undefined {
  const who = plug.who.value;
  if (who === "unknown") return WAIT;
  if (desk.claiming) return SETUP; // Whatever else on this page hears first that strangers may read no longer.
  if (who === "first") return path === "look" ? PAGES[0] : SETUP;
  return who === "out" || (path === "sign-in" && who === "anonymous") ? SIGN_IN : undefined;
}

desk.ask = async () => ((await import(PAGES_URL)) as Later).askToSignIn();
startTheme();
const { main, show } = shell(PAGES);
const refresh = startRouter(PAGES, main, show, instead);
plug.who.watch(refresh);
plug.start();
startClock();
