// The second script: every page but the first and the one about the plug. main.ts fetches it when one of them is opened.
import type { Page } from "./lib/router";
import { accessPage } from "./pages/access";
import { controlPage } from "./pages/control";
import { energyPage } from "./pages/energy";
import { historyPage } from "./pages/history";
import { learnPage } from "./pages/learn";
import { leavesPage } from "./pages/leaves";
import { networkPage } from "./pages/network";
import { protectionPage } from "./pages/protection";
import { reportPage } from "./pages/report";
import { schedulePage } from "./pages/schedule";
import { settingsPage } from "./pages/settings";
import { setupPage } from "./pages/setup";
import { updatePage } from "./pages/update";
import { signInPage } from "./parts/signin";

export { askToSignIn } from "./parts/signin";

export const pages = {
  access: accessPage,
  control: controlPage,
  energy: energyPage,
  history: historyPage,
  learn: learnPage,
  leaves: leavesPage,
  network: networkPage,
  protection: protectionPage,
  report: reportPage,
  schedule: schedulePage,
  settings: settingsPage,
  setup: setupPage,
  signIn: signInPage,
  update: updatePage,
} satisfies Record<string, Page["render"]>;
