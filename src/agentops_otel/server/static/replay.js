// <ao-replay>: the slider, the arrow keys and Play fetch one step after the other into the same place.
import { forPage } from "./keys.js";
import { patch } from "./patch.js";

const PACE = 1500; // milliseconds a step while it plays

class Replay extends HTMLElement {
  connectedCallback() {
    this.addEventListener("input", (event) => {
      if (event.target.matches("[type=range]")) this.to(event.target.valueAsNumber);
    });
    this.addEventListener("click", (event) => {
      const link = event.target.closest("a[rel]");
      if (link?.href && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.to(this.at + (link.rel === "next" ? 1 : -1));
      }
      if (event.target.closest("[data-play]")) this.play();
    });
    this.keys = (event) => {
      if (!forPage(event) || event.target.closest("button, a, summary") || !this.isConnected) return;
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) this.to(this.at + step);
      else if (event.key === " ") this.play();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", this.keys);
    this.ready();
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.keys);
    clearInterval(this.timer);
  }

  get range() {
    return this.querySelector("[type=range]");
  }

  get at() {
    return this.range.valueAsNumber;
  }

  ready() {
    const button = this.querySelector("[data-play]");
    button.hidden = Number(this.range.max) < 2;
    button.textContent = this.timer ? "Pause" : "Play";
  }

  play() {
    if (this.timer) {
      clearInterval(this.timer);
      this.timer = null;
    } else {
      if (this.at === Number(this.range.max)) this.to(1);
      this.timer = setInterval(() => {
        if (this.at < Number(this.range.max)) this.to(this.at + 1);
        else this.play();
      }, PACE);
    }
    this.ready();
  }

  /** Shows a step; the latest one that was asked for wins. */
  async to(step) {
    if (step < 1 || step > Number(this.range.max)) return;
    this.range.value = step;
    this.querySelector("output").textContent = `${step} of ${this.range.max}`;
    const query = new URLSearchParams(location.search);
    query.set("at", step);
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const answer = await fetch(`?${query}`, { signal: this.asked.signal });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("replay");
      this.put(fresh);
      history.replaceState(null, "", `?${query}`);
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    }
  }

  /** Takes over a step. The slider, which may be in a hand, is kept, and what it says is not. */
  put(fresh) {
    const now = this.querySelector("#replay");
    for (const selector of ["a[rel=prev]", "a[rel=next]", "[type=range]"]) {
      const told = fresh.querySelector(selector);
      for (const name of ["href", "aria-valuetext"]) {
        const value = told.getAttribute(name);
        if (value === null) this.querySelector(selector).removeAttribute(name);
        else this.querySelector(selector).setAttribute(name, value);
      }
    }
    patch(now, fresh);
  }
}

customElements.define("ao-replay", Replay);
