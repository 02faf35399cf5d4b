// Light or dark: what the system says, unless somebody chose. The choice stays in this browser, if it lets us.
import { Signal } from "./signal";

export type Theme = "light" | "dark";
const KEY = "ossp-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // Private windows and captive-portal browsers may forbid it.
  }
}

let chosen = stored();
const effective = (): Theme => chosen ?? (system.matches ? "dark" : "light");

export const theme = new Signal<Theme>(effective());

function apply(): void {
  document.documentElement.dataset.theme = effective();
  theme.value = effective();
}

export function toggleTheme(): void {
  chosen = effective() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // It then holds until the page is left.
  }
  apply();
}

export function startTheme(): void {
  system.addEventListener("change", apply);
  apply();
}
