// Starts the page. A new page is a line in PAGES.
import { plug } from "./api/plug";
import { type Page, startRouter } from "./lib/router";
import { startTheme } from "./lib/theme";
import { aboutPage } from "./pages/about";
import { learnPage } from "./pages/learn";
import { nowPage } from "./pages/now";
import { relayPage } from "./pages/relay";
import { shell } from "./parts/shell";

const PAGES: Page[] = [
  { path: "", label: "Now", render: nowPage },
  { path: "relay", label: "Relay", render: relayPage },
  { path: "learn", label: "Learn", render: learnPage },
  { path: "about", label: "This plug", render: aboutPage },
];

startTheme();
const { main, show } = shell(PAGES);
startRouter(PAGES, main, show);
plug.start();
