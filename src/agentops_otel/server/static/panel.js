// The panel of a span: shown and closed without leaving the page, and in the address, so that Back comes back.

const view = document.getElementById("view");
const here = view?.dataset.here;

// ------------------------------------------------------------------------------------------------------- the panel

/** The query of the page. */
export const parameters = () => new URLSearchParams(location.search);
/** Where a span stands in the view. */
export const rowOf = (span) => span && document.getElementById(`s-${span}`);
let asked; // the request that runs: a later one replaces it

function mark(span) {
  for (const row of view.querySelectorAll("tr[aria-selected=true]")) row.setAttribute("aria-selected", "false");
  for (const step of view.querySelectorAll("[id^=s-][aria-current]")) step.removeAttribute("aria-current");
  const row = rowOf(span);
  if (!row) return;
  if (row.matches("tr")) row.setAttribute("aria-selected", "true");
  else row.setAttribute("aria-current", "true");
}

/** Where the focus goes in a view: a row itself, of a step its title. */
export function focusOn(span) {
  const row = rowOf(span);
  const target = row?.matches("tr[tabindex]") ? row : row?.querySelector("h3 a, a.call") ?? row?.closest("a") ?? row?.querySelector("a");
  target?.focus({ preventScroll: true });
  return target;
}

/** The links to the other views show the same span, and come back to the same range of time. */
export function carry() {
  const query = parameters();
  for (const link of document.querySelectorAll(".tabs a[data-key]")) {
    const target = new URL(link.href);
    for (const name of ["span", "range"]) {
      if (query.has(name)) target.searchParams.set(name, query.get(name));
      else target.searchParams.delete(name);
    }
    link.setAttribute("href", target.search);
  }
}

/** Shows the details of a span beside the view, and says so in the address. */
export async function show(span, { part = "", push = true } = {}) {
  const query = parameters();
  query.set("span", span);
  if (part) query.set("part", part);
  else query.delete("part");
  if (push && query.toString() !== parameters().toString()) history.pushState(null, "", `?${query}${location.hash}`);
  mark(span);
  carry();
  asked?.abort();
  asked = new AbortController();
  view.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`${here}/panel?${query}`, { signal: asked.signal });
    if (!answer.ok) throw new Error(await answer.text());
    put(await answer.text());
  } catch (problem) {
    if (problem.name === "AbortError") return;
    location.reload(); // the page itself says what is wrong
  }
  view.removeAttribute("aria-busy");
}

function put(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("panel");
  const old = document.getElementById("panel");
  const focused = old?.contains(document.activeElement) && document.activeElement.dataset.part;
  if (old) old.replaceWith(fresh);
  else view.append(fresh);
  view.className = "split";
  if (focused) fresh.querySelector(`[data-part="${focused}"]`)?.focus();
}

/** Closes the panel; whether there was one. */
export function close({ push = true } = {}) {
  const panel = document.getElementById("panel");
  if (!panel) return false;
  const query = parameters();
  const span = panel.dataset.span;
  query.delete("span");
  query.delete("part");
  if (push) history.pushState(null, "", `?${query}`);
  const inside = panel.contains(document.activeElement);
  panel.remove();
  view.className = "whole";
  mark(null);
  carry();
  if (inside) focusOn(span);
  return true;
}

/** Whether a click means to go there, and not to open a tab. */
export const plain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

view?.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || !plain(event)) return;
  if (link.matches("[data-close]")) {
    event.preventDefault();
    close();
  } else if (link.matches("[data-whole]")) {
    event.preventDefault();
    loadWhole(link);
  } else if (link.matches("[data-part]")) {
    event.preventDefault();
    show(link.closest("#panel").dataset.span, { part: link.dataset.part });
  } else {
    const target = new URL(link.href, location.href);
    const query = target.searchParams;
    const same = target.pathname === location.pathname && (query.get("tab") ?? "story") === (parameters().get("tab") ?? "story");
    if (same && query.get("span") && query.get("flame") === parameters().get("flame")) {
      event.preventDefault();
      show(query.get("span"));
    }
  }
});

addEventListener("popstate", () => {
  const span = parameters().get("span");
  if (!view || location.hash) return;
  if (span) {
    show(span, { part: parameters().get("part") ?? "", push: false });
    focusOn(span);
  } else close({ push: false });
});

/** Puts the whole of a text in the place of its beginning. */
async function loadWhole(link) {
  const line = link.closest(".cut");
  line.setAttribute("aria-busy", "true");
  const answer = await fetch(link.href);
  if (answer.ok) {
    line.previousElementSibling.textContent = await answer.text();
    line.remove();
  } else line.textContent = await answer.text();
}
