// The range of time that a waterfall shows: dragged over its minimap or over a lane, moved with keys, and said in the
// address. Times are seconds from the start of the session.
import { carry, parameters } from "./panel.js";

const LONGEST = 2 ** 24; // pixels: no browser places a bar exactly in a lane that is longer
const DRAG = 4; // pixels that a pointer moves before it is no click any more

// One rule for all lanes: rows that are out of sight have no work with it. (A custom property would be inherited by all.)
const sheet = new CSSStyleSheet();
sheet.replaceSync(".wf tbody .lane > svg {}");
document.adoptedStyleSheets.push(sheet);
const [lane] = sheet.cssRules;

export class Range {
  /** Of a waterfall, the element around the table. */
  constructor(host) {
    this.table = host.querySelector("table");
    this.map = host.querySelector("#range");
    this.button = host.querySelector("#range-all");
    this.words = wordsOf(document);
    this.draw();
    this.read();
    host.addEventListener("pointerdown", (event) => this.press(event));
    // A drag that ends over a row is not a click on it.
    host.addEventListener("click", (event) => this.dragged && event.stopImmediatePropagation(), true);
    host.addEventListener("dblclick", (event) => event.target.closest(".lane") && this.set(null));
    this.button.addEventListener("click", () => this.set(null));
    addEventListener("popstate", () => this.read());
    // While a session runs its time line grows: the range stays.
    document.addEventListener("ao:fresh", ({ detail }) => {
      this.words = wordsOf(detail.page);
      queueMicrotask(() => this.apply());
    });
  }

  get whole() {
    return Number(this.table.dataset.seconds);
  }

  /** Start and end of what is shown. */
  get bounds() {
    return this.shown ?? [0, this.whole];
  }

  // ------------------------------------------------------------------------------------------------------ the range

  /** Shows a range, or all; without `said` the address says it too. */
  set(range, { said = false } = {}) {
    this.shown = range && this.fitting(range);
    if (!said) this.say();
    this.apply();
  }

  /** A range within the session that is not too short to be drawn; null is all of it. */
  fitting([from, to]) {
    const { whole } = this;
    const least = (whole * this.map.getBoundingClientRect().width) / LONGEST;
    const short = Math.max(0, least - (to - from)) / 2;
    const [start, end] = [Math.max(0, from - short), Math.min(whole, to + short)].map((at) => Number(exact(at, to - from)));
    return end - start < whole * 0.999 ? [start, end] : null;
  }

  /** Moves what is shown by a share of its length, without leaving the session. */
  move(share) {
    const [from, to] = this.bounds;
    const by = Math.max(-from, Math.min(this.whole - to, (to - from) * share));
    if (this.shown) this.set([from + by, to + by]);
  }

  /** Shows so many times more or less, around a moment. */
  scale(times, around) {
    const [from, to] = this.bounds;
    const middle = Math.max(from, Math.min(to, around ?? (from + to) / 2));
    this.set([middle - (middle - from) * times, middle + (to - middle) * times]);
  }

  /** Ends a drag, else shows all again; false when there is nothing to do. */
  reset() {
    if (this.drag?.next) this.release(null);
    else if (this.shown) this.set(null);
    else return false;
    return true;
  }

  // ---------------------------------------------------------------------------------------------------- the address

  read() {
    const [, from, to] = /^(\d+\.?\d*)-(\d+\.?\d*)$/.exec(parameters().get("range"))?.map(Number) ?? [];
    this.set(to > from && from < this.whole ? [from, to] : null, { said: true });
  }

  say() {
    const query = parameters();
    if (this.shown) query.set("range", this.shown.map((seconds) => exact(seconds, this.shown[1] - this.shown[0])).join("-"));
    else query.delete("range");
    history.replaceState(history.state, "", `?${query}${location.hash}`);
    carry();
  }

  // ------------------------------------------------------------------------------------------------------ the drawing

  /** The ends of the range, which are sliders, and what lies outside of it. */
  draw() {
    this.outside = ["0", "100%"].map((x) => element(this.map, "rect", { class: "outside", x, width: 0, height: "100%" }));
    this.ends = ["Start of the range", "End of the range"].map((label, index) => {
      const end = element(this.map, "svg", { role: "slider", tabindex: 0, "aria-label": label, overflow: "visible" });
      element(end, "rect", { class: "grip", x: -10, width: 20, height: "100%" });
      element(end, "rect", { class: "end", x: index ? -3 : 0, width: 3, height: "100%" });
      end.addEventListener("keydown", (event) => this.slide(event, index));
      return end;
    });
  }

  apply() {
    const { whole, bounds: [from, to] } = this;
    if (this.shown) {
      const share = (to - from) / whole;
      lane.style.setProperty("width", `${100 / share}%`);
      lane.style.setProperty("margin-left", `${(-100 * from) / whole / share}%`);
    } else {
      lane.style.removeProperty("width");
      lane.style.removeProperty("margin-left");
    }
    const scale = this.table.tHead.querySelector(".scale");
    scale.querySelectorAll("text").forEach((text, index) => {
      text.textContent = this.shown ? time(from + ((to - from) * index) / 5, to - from) : this.words[index];
    });
    scale.toggleAttribute("data-keep", Boolean(this.shown)); // another rendering of the page says the times of the whole
    this.button.hidden = !this.shown;
    this.button.querySelector("output").textContent = `${time(from, to - from)} to ${time(to, to - from)}`;
    this.mark(from, to);
  }

  /** Draws a range into the minimap. */
  mark(from, to) {
    const { whole } = this;
    const at = [from, to].map((seconds) => (100 * seconds) / whole);
    set(this.outside[0], { width: `${at[0]}%` });
    set(this.outside[1], { x: `${at[1]}%`, width: `${100 - at[1]}%` });
    this.ends.forEach((end, index) => {
      const [least, most] = index ? [from, whole] : [0, to];
      const seconds = [from, to][index];
      set(end, { x: `${at[index]}%`, "aria-valuemin": least, "aria-valuemax": most, "aria-valuenow": seconds });
      set(end, { "aria-valuetext": time(seconds, to - from) });
    });
  }

  // ------------------------------------------------------------------------------------------------------- the pointer

  press(event) {
    const onMap = Boolean(event.target.closest("#range"));
    const inLane = event.target.closest(".lane") && event.pointerType !== "touch"; // a finger there scrolls
    if (event.button || !event.isPrimary || !(onMap || inLane)) return;
    const [from, to] = this.bounds;
    const listening = new AbortController();
    this.drag = { onMap, from, to, x: event.clientX, listening };
    const at = this.at(event);
    const end = this.ends.indexOf(event.target.closest("[role=slider]"));
    Object.assign(this.drag, { at, what: end >= 0 ? end : onMap && this.shown && at > from && at < to ? "both" : "new" });
    const { signal } = listening;
    addEventListener("pointermove", (moved) => this.pull(moved), { signal });
    addEventListener("pointerup", () => this.release(this.drag.next), { signal });
    addEventListener("pointercancel", () => this.release(null), { signal });
  }

  /** The time at a pointer: over the minimap of all, over a lane of what it shows. */
  at({ clientX }) {
    const { left, width } = this.map.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (clientX - left) / width));
    const { onMap, from, to } = this.drag;
    return onMap ? share * this.whole : from + share * (to - from);
  }

  pull(event) {
    const { drag } = this;
    if (!drag.next && Math.abs(event.clientX - drag.x) < DRAG) return;
    event.preventDefault();
    const at = this.at(event);
    const by = Math.max(-drag.from, Math.min(this.whole - drag.to, at - drag.at));
    drag.next = {
      0: [Math.min(at, drag.to), drag.to],
      1: [drag.from, Math.max(at, drag.from)],
      both: [drag.from + by, drag.to + by],
      new: [Math.min(at, drag.at), Math.max(at, drag.at)],
    }[drag.what];
    this.mark(...drag.next);
  }

  release(range) {
    this.drag.listening.abort();
    this.dragged = Boolean(this.drag.next);
    this.drag = undefined;
    setTimeout(() => (this.dragged = false)); // after the click that comes with it
    if (range) this.set(range);
    else this.apply();
  }

  // ----------------------------------------------------------------------------------------------------------- the keys

  /** A key at one end of the range. */
  slide(event, index) {
    const { whole, bounds } = this;
    const step = (bounds[1] - bounds[0]) / 50;
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [least, most] = index ? [bounds[0] + step, whole] : [0, bounds[1] - step];
    bounds[index] = Math.max(least, Math.min(most, bounds[index] + by * step));
    this.set(bounds);
  }
}

const wordsOf = (page) => [...page.querySelectorAll(".wf .scale text")].map((text) => text.textContent);

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

function element(parent, name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(node, attributes);
  return parent.appendChild(node);
}

/** As many digits as tell apart a thousandth of a width. */
const digitsOf = (width, more) => Math.max(0, Math.min(9, Math.ceil(more - Math.log10(width))));

/** As the address says a moment. */
const exact = (seconds, width) => seconds.toFixed(digitsOf(width, 3)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

/** A moment with as many digits as the width of the lane asks for. */
function time(seconds, width) {
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(width < 0.02 ? 2 : 0)}\u202fms`;
  const digits = Math.min(4, digitsOf(width, 1));
  if (seconds < 60) return `${seconds.toFixed(digits)}\u202fs`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}
