// Light or dark: as the system says, until somebody says otherwise.

import { effect, signal } from "@preact/signals";

type Theme = "system" | "light" | "dark";

const THEMES: Theme[] = ["system", "light", "dark"];
const NAME = "theme";

export const theme = signal<Theme>(THEMES.find((own) => own === localStorage.getItem(NAME)) ?? "system");

export function turn(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "system";
  localStorage.setItem(NAME, theme.value);
}

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
