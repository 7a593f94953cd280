// The keyboard. No key works while a field has the focus, none needs Ctrl alone but the palette's, none traps.
import { closeMenus } from "./controls.js";

const PAGES = { s: "/", c: "/costs", e: "/errors", t: "/tools", m: "/models", y: "/system" };
const ITEMS = "#rows > tr, table[data-rows] > tbody > tr:not(.more), .story .step, [data-items] > *";
let went; // the time of the last g

/** Whether a key is meant for the page. */
export function forPage(event) {
  const typing = event.target.closest?.("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable], dialog");
  return !typing && !event.ctrlKey && !event.altKey && !event.metaKey && !event.defaultPrevented;
}

// -------------------------------------------------------------------------------------------------------- j, k, x

const items = () => [...document.querySelectorAll(ITEMS)].filter((item) => item.checkVisibility());
const focusOf = (item) => item.querySelector("a.clip, h3 a") ?? item.querySelector("a[href], summary") ?? item;

function move(by) {
  const all = items();
  if (!all.length) return false;
  const current = all.findIndex((item) => item.contains(document.activeElement));
  const top = document.querySelector("thead")?.getBoundingClientRect().bottom ?? 0;
  const inSight = all.findIndex((item) => item.getBoundingClientRect().top >= Math.max(0, top - 1));
  const index = current < 0 ? Math.max(0, inSight) : Math.min(all.length - 1, Math.max(0, current + by));
  const target = focusOf(all[index]);
  if (target === all[index]) target.tabIndex = -1;
  target.focus({ preventScroll: true });
  all[index].scrollIntoView({ block: "nearest" });
  return true;
}

function select() {
  const box = document.activeElement?.closest("tr")?.querySelector("input[name=pick]");
  box?.click();
  return Boolean(box);
}

// --------------------------------------------------------------------------------------------------------- dialogs

function showKeys() {
  const keys = document.getElementById("keys");
  if (!keys.open) keys.showModal();
  return true;
}

async function showPalette() {
  const { open } = await import("./palette.js");
  open();
}

document.getElementById("help")?.addEventListener("click", showKeys);
document.addEventListener("click", (event) => {
  if (event.target instanceof HTMLDialogElement) event.target.close(); // on the ground around it
});

// ------------------------------------------------------------------------------------------------------------ keys

function goTo(path) {
  const link = [...document.querySelectorAll(".topbar nav a")].find((each) => new URL(each.href).pathname === path);
  location.assign(link?.href ?? path);
  return true;
}

function search() {
  document.querySelector(".find input").focus();
  document.querySelector(".find input").select();
  return true;
}

const KEYS = { j: () => move(1), k: () => move(-1), x: select, "/": search, "?": showKeys };

function press(event) {
  const path = went && event.timeStamp - went < 1500 && PAGES[event.key];
  went = undefined;
  if (path) return goTo(path);
  const control = event.key !== "Escape" && document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (control && !event.repeat) {
    control.click();
    return true;
  }
  if (event.key === "g") {
    went = event.timeStamp;
    return true;
  }
  return KEYS[event.key]?.();
}

addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    showPalette();
    return;
  }
  if (event.key === "Escape") return escape(event);
  if (forPage(event) && press(event)) event.preventDefault();
});

/** Closes what is open, else leaves a field, else goes back; what a page itself closes comes before going back. */
function escape(event) {
  if (event.target.closest?.("dialog")) return;
  if (closeMenus()) {
    event.preventDefault();
    return;
  }
  if (event.target.matches?.("input:not([type=checkbox]), textarea")) {
    event.target.blur();
    return;
  }
  setTimeout(() => {
    if (!event.defaultPrevented) document.querySelector("[data-key=Escape]")?.click();
  });
}
