// Menus, theme, copying, tabs, and forms that change something.
import { refresh } from "./live.js";
import { say } from "./pulse.js";

// ------------------------------------------------------------------------------------------------------------ menus

const openMenus = () => document.querySelectorAll("details.menu[open]");

/** Closes the open menus; whether there was one. */
export function closeMenus(except) {
  let closed = false;
  for (const menu of openMenus()) {
    if (menu === except) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
    closed = true;
  }
  return closed;
}

document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));

/** Moves a list that would reach over the edge of the window. */
function place(list) {
  list.style.removeProperty("translate");
  const { left, right } = list.getBoundingClientRect();
  const edge = document.documentElement.clientWidth - 8;
  const shift = right > edge ? edge - right : Math.max(0, 8 - left);
  if (shift) list.style.setProperty("translate", `${shift}px 0`);
}

/** Fetches what a menu shows, each time that it is opened. */
async function fill(list) {
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(list.dataset.from, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    list.replaceChildren(...(answer.ok ? page.body.childNodes : []));
  } catch {
    list.textContent = "The box does not answer.";
  }
  list.removeAttribute("aria-busy");
}

document.addEventListener(
  "toggle",
  async (event) => {
    const list = event.target.matches("details.menu[open]") && event.target.querySelector(":scope > div");
    if (!list) return;
    if (list.dataset.from) await fill(list);
    place(list);
  },
  true,
);

// ------------------------------------------------------------------------------------------------------------ theme

const THEMES = { system: "as the system", light: "light", dark: "dark" };
const root = document.documentElement;
const button = document.getElementById("theme-switch");

function label() {
  const theme = root.dataset.theme ?? "system";
  button.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  button.title = `Theme: ${THEMES[theme]}`;
}

button?.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const theme = names[(names.indexOf(root.dataset.theme ?? "system") + 1) % names.length];
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Storage is switched off: the theme holds for this page.
  }
  label();
});
if (button) label();

// ------------------------------------------------------------------------------------------------------------- copy

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without https on another machine; the old way works there.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "vh";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) return say("Not copied", "warn");
  }
  say("Copied");
}

document.addEventListener("click", (event) => {
  const source = event.target.closest("[data-copy]");
  if (source) copy(source.dataset.copy);
});

// ------------------------------------------------------------------------------------------------------------ forms

async function send(form, submitter) {
  form.setAttribute("aria-busy", "true");
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json", "X-AgentOps-Otel": "1" },
    body: new URLSearchParams(new FormData(form, submitter)),
  });
  const said = await answer.json();
  if (answer.ok && "stay" in form.dataset) {
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", String(button === submitter));
    refresh();
    return;
  }
  if (answer.ok) {
    const target = new URL(said.go, location.href);
    if (target.href === location.href) location.reload();
    else location.assign(target);
    return; // busy until the other page is there
  }
  form.removeAttribute("aria-busy");
  tell(form, [said.happened, said.meaning, said.todo].filter(Boolean).join(" "));
}

function tell(form, text) {
  const place = form.parentElement.querySelector(":scope > [role=alert]") ?? document.createElement("p");
  place.setAttribute("role", "alert");
  place.className = "err fatal";
  place.textContent = text;
  form.after(place);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-post]");
  if (!form) return;
  event.preventDefault();
  send(form, event.submitter).catch(() => {
    form.removeAttribute("aria-busy");
    tell(form, "The box does not answer. Nothing was changed. Is agentops-otel up still running?");
  });
});

// ------------------------------------------------------------------------------------------------------------- tabs

/** Links to sections of its own: one is shown at a time, arrows go from one to the next. */
class Tabs extends HTMLElement {
  connectedCallback() {
    this.links = [...this.querySelectorAll("a[href^='#']")];
    this.links[0].parentElement.setAttribute("role", "tablist");
    for (const link of this.links) {
      link.setAttribute("role", "tab");
      const section = this.section(link);
      section.setAttribute("role", "tabpanel");
      link.setAttribute("aria-controls", section.id);
    }
    this.addEventListener("click", (event) => {
      const link = event.target.closest("[role=tab]");
      if (!link) return;
      event.preventDefault();
      this.show(link);
    });
    this.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const index = this.links.indexOf(event.target);
      if (!step || index < 0) return;
      event.preventDefault();
      const link = this.links.at((index + step) % this.links.length);
      this.show(link);
      link.focus();
    });
    this.show(this.links[0]);
  }

  section(link) {
    return document.getElementById(link.hash.slice(1));
  }

  show(chosen) {
    for (const link of this.links) {
      link.setAttribute("aria-selected", String(link === chosen));
      link.tabIndex = link === chosen ? 0 : -1;
      this.section(link).hidden = link !== chosen;
    }
  }
}
customElements.define("ao-tabs", Tabs);
