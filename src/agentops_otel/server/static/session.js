// The page of one session: unfolding, following, and the keys of the views.
import "./replay.js";
import "./waterfall.js";
import { forPage } from "./keys.js";
import { refresh } from "./live.js";
import { close, focusOn, parameters, plain, rowOf } from "./panel.js";

// ------------------------------------------------------------------------------------------- unfold all, follow

const unfold = document.querySelector("[data-unfold]");
unfold?.addEventListener("click", (event) => {
  if (!plain(event)) return;
  event.preventDefault();
  const open = !unfold.hasAttribute("aria-current");
  for (const fold of document.querySelectorAll("#story details.fold, .why details")) fold.open = open;
  unfold.firstChild.data = open ? "Fold " : "Unfold all ";
  remember(unfold, open, "text", open ? "all" : null);
});

const follow = document.querySelector("[data-follow]");
if (follow) {
  const story = document.getElementById("story");
  const set = (on) => follow.setAttribute("aria-pressed", String(on));
  const following = () => follow.getAttribute("aria-pressed") === "true";
  const toEnd = () => story.lastElementChild?.scrollIntoView({ block: "end" });
  let last = scrollY;
  if (location.hash || parameters().get("span")) set(false);
  follow.addEventListener("click", () => {
    set(!following());
    if (following()) toEnd();
  });
  addEventListener("scroll", () => {
    if (scrollY < last - 2) set(false);
    last = scrollY;
  }, { passive: true });
  new MutationObserver((changes) => {
    const steps = changes.flatMap((change) => [...change.addedNodes]).some((node) => node.nodeName === "LI");
    if (steps && following()) toEnd();
  }).observe(story, { childList: true, subtree: true });
}

const critical = document.querySelector("[data-critical]");
critical?.addEventListener("click", (event) => {
  if (!plain(event)) return;
  event.preventDefault();
  const on = !critical.hasAttribute("aria-current");
  document.querySelector(".wf").classList.toggle("critical", on);
  remember(critical, on, "critical", on ? null : "0");
});

/** Shows that a control is on, and says so in the address, so that the next rendering of the page agrees. */
function remember(control, on, name, value) {
  if (on) control.setAttribute("aria-current", "true");
  else control.removeAttribute("aria-current");
  const query = parameters();
  if (value) query.set(name, value);
  else query.delete(name);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

// While a session runs, its bars and its ribbon grow in steps; the figures tick by themselves.
const STEP = 3000; // milliseconds
setInterval(() => {
  if (!document.hidden && document.querySelector("#head [data-since]")) refresh();
}, STEP);

// -------------------------------------------------------------------------------------------------------- keys

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && forPage(event) && close()) event.preventDefault();
});

// A deep link: the span that it names is in sight and has the focus.
const first = parameters().get("span");
const row = rowOf(first);
if (row && !location.hash) {
  const sheet = matchMedia("(max-width: 700px)").matches; // the panel covers the lower half
  const { top, bottom } = row.getBoundingClientRect();
  if (top < 150 || bottom > innerHeight * (sheet ? 0.4 : 1)) row.scrollIntoView({ block: sheet ? "start" : "center" });
  focusOn(first);
}

