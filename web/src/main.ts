// Starts the page. A new page is a line in PAGES, and here or in pages.ts its file.
import { plug } from "./api/plug";
import { type Page, startRouter } from "./lib/router";
import { startTheme } from "./lib/theme";
import { aboutPage } from "./pages/about";
import { nowPage } from "./pages/now";
import { shell } from "./parts/shell";

/** A page of the second script, which is fetched when the first of them is opened. */
const later =
  (name: keyof typeof import("./pages").pages): Page["render"] =>
  async (life, rest) => {
    const { pages } = (await import(PAGES_URL)) as typeof import("./pages");
    const render: Page["render"] = pages[name];
    return render(life, rest);
  };

const PAGES: Page[] = [
  { path: "", label: "Now", render: nowPage },
  { path: "control", label: "Control", render: later("control") },
  { path: "energy", label: "Energy", render: later("energy") },
  { path: "schedule", label: "Schedule", render: later("schedule") },
  { path: "protection", label: "Protection", render: later("protection") },
  { path: "settings", label: "Settings", render: later("settings") },
  { path: "learn", label: "Learn", render: later("learn") },
  { path: "about", label: "This plug", render: aboutPage },
];

startTheme();
const { main, show } = shell(PAGES);
startRouter(PAGES, main, show);
plug.start();
