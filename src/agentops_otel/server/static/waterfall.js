// <ao-waterfall>: a treegrid. One row has tabindex 0; arrows move and fold, z zooms, p goes along the critical path.
import { forPage } from "./keys.js";
import { close, show } from "./panel.js";
import { Range } from "./range.js";

// Rows stand in groups of 50.
const after = (row) => row.nextElementSibling ?? row.parentElement.nextElementSibling?.rows[0] ?? null;
const before = (row) => row.previousElementSibling ?? [...(row.parentElement.previousElementSibling?.rows ?? [])].pop() ?? null;
const level = (row) => Number(row.getAttribute("aria-level"));
const folded = (row) => row.getAttribute("aria-expanded") === "false";

class Waterfall extends HTMLElement {
  connectedCallback() {
    if (this.table) return; // it was moved
    this.table = this.querySelector("table");
    this.range = new Range(this);
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
    const does = event.shiftKey ? this.shifted(event.key) : {
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
      "-": () => this.nearer(row, 2),
      "+": () => this.nearer(row, 0.5),
      Escape: () => this.range.reset() || close(),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  shifted(key) {
    return {
      ArrowLeft: () => this.range.move(-0.25),
      ArrowRight: () => this.range.move(0.25),
      "+": () => this.nearer(this.current, 0.5),
    }[key];
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

  /** Makes one row's time as wide as the lane, with a little air on both sides; the same row again shows all. */
  zoom(row) {
    const [start, length] = timeOf(row, this.range.whole);
    const again = this.zoomed === row && this.range.shown;
    this.zoomed = row;
    this.range.set(again ? null : [start - length / 20, start + length * 1.05]);
  }

  /** Zooms in or out around the middle of a row. */
  nearer(row, times) {
    const [start, length] = timeOf(row, this.range.whole);
    this.range.scale(times, start + length / 2);
  }
}

/** Start and length of a row's bar, in seconds. */
function timeOf(row, whole) {
  const bar = row.querySelector(".lane rect");
  return ["x", "width"].map((name) => (parseFloat(bar.getAttribute(name)) / 100) * whole);
}

customElements.define("ao-waterfall", Waterfall);

// Whatever has the focus: the range goes before the panel, and that before the page.
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !forPage(event)) return;
  if (document.querySelector("ao-waterfall")?.range.reset()) event.preventDefault();
});
