// <ao-waterfall>: a treegrid. One row has tabindex 0; arrows move and fold, z zooms, p goes along the critical path.
import { forPage } from "./keys.js";
import { close, show } from "./panel.js";

// Rows stand in groups of 50.
const after = (row) => row.nextElementSibling ?? row.parentElement.nextElementSibling?.rows[0] ?? null;
const before = (row) => row.previousElementSibling ?? [...(row.parentElement.previousElementSibling?.rows ?? [])].pop() ?? null;
const level = (row) => Number(row.getAttribute("aria-level"));
const folded = (row) => row.getAttribute("aria-expanded") === "false";

// One rule for all lanes: rows that are out of sight have no work with it. (A custom property would be inherited by all.)
const sheet = new CSSStyleSheet();
sheet.replaceSync(".wf tbody .lane > svg {}");
document.adoptedStyleSheets.push(sheet);
const [lane] = sheet.cssRules;

class Waterfall extends HTMLElement {
  connectedCallback() {
    this.table = this.querySelector("table");
    this.addEventListener("keydown", (event) => this.key(event));
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("focusin", (event) => {
      const row = event.target.closest("tbody tr");
      if (row) this.current = row;
    });
  }

  get current() {
    return this.table.querySelector("tr[tabindex='0']") ?? this.first();
  }

  set current(row) {
    for (const old of this.table.querySelectorAll("tr[tabindex='0']")) if (old !== row) old.tabIndex = -1;
    row.tabIndex = 0;
  }

  go(row) {
    if (!row) return;
    this.current = row;
    row.focus();
  }

  /** The next row that is shown, or the one before. */
  next(row, step = after) {
    let other = step(row);
    while (other?.hidden) other = step(other);
    return other?.closest("tbody") && other;
  }

  parent(row) {
    let other = before(row);
    while (other && !(level(other) < level(row))) other = before(other);
    return other?.closest("tbody") && other;
  }

  /** Rows inside of a row. */
  *inside(row) {
    for (let other = after(row); other && level(other) > level(row); other = after(other)) yield other;
  }

  /** Says how much room a group takes that is out of sight. */
  measure() {
    for (const group of this.table.tBodies) {
      group.style.setProperty("--rows", [...group.rows].filter((row) => !row.hidden).length);
    }
  }

  fold(row) {
    row.setAttribute("aria-expanded", "false");
    for (const other of this.inside(row)) other.hidden = true;
    this.measure();
  }

  async unfold(row) {
    row.setAttribute("aria-expanded", "true");
    if (!(level(after(row) ?? row) > level(row))) await this.load(row);
    let under = Infinity; // rows deeper than this stay hidden: their own parent is folded
    for (const other of this.inside(row)) {
      if (level(other) <= under) under = Infinity;
      other.hidden = level(other) > under;
      if (under === Infinity && folded(other)) under = level(other);
    }
    this.measure();
  }

  /** Fetches what is inside of a row of a very large tree. */
  async load(row) {
    const { here } = document.getElementById("view").dataset;
    row.setAttribute("aria-busy", "true");
    const answer = await fetch(`${here}/rows?under=${encodeURIComponent(row.id.slice(2))}`);
    if (answer.ok) {
      const table = document.createElement("tbody");
      table.innerHTML = await answer.text();
      row.after(...table.rows);
    }
    row.removeAttribute("aria-busy");
  }

  click(event) {
    const row = event.target.closest("tbody tr");
    if (!row || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest(".m") && row.hasAttribute("aria-expanded")) {
      event.preventDefault();
      event.stopPropagation();
      if (folded(row)) this.unfold(row);
      else this.fold(row);
    } else if (!event.target.closest("a") && !String(getSelection())) {
      this.details(row);
    }
    this.current = row;
  }

  details(row) {
    if (row.querySelector("a[href*='span=']")) show(row.id.slice(2));
  }

  key(event) {
    if (!forPage(event) || !event.target.closest("tbody")) return;
    const row = this.current;
    const does = {
      ArrowDown: () => this.go(this.next(row)),
      ArrowUp: () => this.go(this.next(row, before)),
      j: () => this.go(this.next(row)),
      k: () => this.go(this.next(row, before)),
      Home: () => this.go(this.first()),
      End: () => this.go(this.last()),
      ArrowRight: () => {
        if (folded(row)) this.unfold(row);
        else if (row.hasAttribute("aria-expanded")) this.go(this.next(row));
      },
      ArrowLeft: () => {
        if (row.getAttribute("aria-expanded") === "true") this.fold(row);
        else this.go(this.parent(row));
      },
      Enter: () => this.details(row),
      " ": () => this.details(row),
      z: () => this.zoom(row),
      p: () => this.along(row),
      Escape: () => this.zoomed ? this.zoom(null) : close(),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  first() {
    return this.table.tBodies[0].rows[0];
  }

  last() {
    const row = this.table.rows[this.table.rows.length - 1];
    return row.hidden ? this.next(row, before) : row;
  }

  /** Goes to the next leaf on the critical path, from the last one to the first again. */
  along(row) {
    const path = [...this.table.querySelectorAll("tr[data-critical]")].filter((other) => !other.hidden);
    const after = path.find((other) => row.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
    this.go(after ?? path[0]);
  }

  /** Makes one row's time as wide as the lane; the same row again, or none, shows all. */
  zoom(row) {
    const all = !row || this.zoomed === row;
    this.zoomed = all ? null : row;
    if (all) {
      lane.style.removeProperty("width");
      lane.style.removeProperty("margin-left");
    } else {
      const bar = row.querySelector(".lane rect");
      const [start, length] = ["x", "width"].map((name) => parseFloat(bar.getAttribute(name)) / 100);
      // A little air on both sides, and no closer than a hundred thousandth of the whole.
      const share = Math.min(1, Math.max(length, 1e-5) * 1.1);
      const from = Math.max(0, Math.min(1 - share, start - share / 22));
      lane.style.setProperty("width", `${100 / share}%`);
      lane.style.setProperty("margin-left", `${(-100 * from) / share}%`);
      return this.scale(from, share);
    }
    return this.scale(0, 1);
  }

  /** Writes the time at the five divisions. */
  scale(from, share) {
    const texts = this.table.tHead.querySelectorAll("text");
    this.words ??= [...texts].map((text) => text.textContent);
    const seconds = Number(this.table.dataset.seconds);
    texts.forEach((text, index) => {
      if (share === 1) text.textContent = this.words[index];
      else text.textContent = time(seconds * (from + (share * index) / 5), seconds * share);
    });
    // Another rendering of the page says the times of the whole.
    this.table.tHead.querySelector(".lane svg").toggleAttribute("data-keep", share !== 1);
  }
}

/** A moment with as many digits as the width of the lane asks for. */
function time(seconds, width) {
  if (seconds < 1) return `${(seconds * 1000).toFixed(width < 0.02 ? 2 : 0)}\u202fms`;
  const digits = Math.max(0, Math.min(4, Math.ceil(1 - Math.log10(width))));
  if (seconds < 60) return `${seconds.toFixed(digits)}\u202fs`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}

customElements.define("ao-waterfall", Waterfall);
