// The list of sessions: rows that are new wait while one is reading, two that are selected can be compared.
import { refresh } from "./live.js";

const rowsOf = (page) => page.getElementById("rows");
const idsOf = (rows) => [...(rows?.children ?? [])].map((row) => row.id);

// ---------------------------------------------------------------------------------------------------------- new rows

let release = false; // the person has asked for the new rows

function isReading(rows) {
  const list = rows.closest("table");
  const head = list.querySelector("thead th"); // it sticks to the top when the rows below are scrolled
  const scrolled = scrollY > 0 && list.getBoundingClientRect().top < head.getBoundingClientRect().top - 1;
  const busy = rows.contains(document.activeElement) || rows.querySelector("input:checked");
  return scrolled || Boolean(busy) || rows.dataset.top !== "yes";
}

/** Keeps the rows that are shown, in their order, with what is new of each. */
function hold(rows, fresh) {
  const now = new Map([...fresh.children].map((row) => [row.id, row]));
  fresh.replaceChildren(...[...rows.children].map((row) => now.get(row.id) ?? row.cloneNode(true)));
}

document.addEventListener("ao:fresh", ({ detail: { page } }) => {
  const rows = rowsOf(document);
  const fresh = rowsOf(page);
  const pill = document.getElementById("fresh");
  if (!rows || !fresh || !pill) return;
  const known = new Set(idsOf(rows));
  const added = idsOf(fresh).filter((id) => !known.has(id)).length;
  const wait = !release && isReading(rows);
  release = false;
  if (wait) {
    hold(rows, fresh);
    page.getElementById("pager")?.replaceWith(document.getElementById("pager").cloneNode(true));
  }
  pill.hidden = !(wait && added && rows.dataset.top === "yes");
  pill.textContent = `${added} new`;
  for (const id of ["fresh", "selection"]) page.getElementById(id).replaceWith(document.getElementById(id).cloneNode(true));
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("#fresh")) return;
  release = true;
  scrollTo({ top: 0 });
  refresh();
});

// --------------------------------------------------------------------------------------------------------- selection

const picked = () => [...document.querySelectorAll("#rows input[name=pick]:checked")];

function showSelection() {
  const boxes = picked();
  const selection = document.getElementById("selection");
  for (const row of rowsOf(document).children) {
    if (row.querySelector("input:checked")) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
  }
  selection.hidden = !boxes.length;
  selection.querySelector("output").textContent = `${boxes.length} selected`;
  selection.querySelector("button").disabled = boxes.length !== 2;
}

/** Compares the two that are selected, the older one first. */
function compare() {
  const boxes = picked();
  if (boxes.length !== 2) return;
  const [a, b] = boxes
    .map((box) => ({ id: box.value, started: BigInt(box.closest("tr").dataset.started) }))
    .sort((one, other) => (one.started < other.started ? -1 : 1));
  location.assign(`/compare?${new URLSearchParams({ a: a.id, b: b.id })}`);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#rows input[name=pick]")) showSelection();
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("ao-list form")) return;
  event.preventDefault();
  compare();
});
addEventListener("pageshow", () => rowsOf(document) && showSelection()); // a browser remembers what was checked

// A click anywhere on a row opens it, unless it selects text or is meant for a control.
document.addEventListener("click", (event) => {
  const row = event.target.closest("#rows > tr");
  if (!row || event.target.closest("a, input, button, label, summary, td:first-child")) return;
  if (event.button || String(getSelection())) return;
  const link = row.querySelector("a.clip");
  if (event.ctrlKey || event.metaKey) open(link.href, "_blank", "noopener");
  else link.click();
});

// The way back from a session leads to the list as it was filtered.
try {
  if (rowsOf(document)) sessionStorage.setItem("list", location.search);
  for (const link of document.querySelectorAll("main [data-key=Escape][href^='/']")) {
    if (link.pathname === "/") link.search = sessionStorage.getItem("list") ?? link.search;
  }
} catch {
  // Storage is switched off: the way back leads to the whole list.
}
