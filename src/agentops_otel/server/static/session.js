// The page of one session: unfolding, following, and the keys of the views.
import "./replay.js";
import "./waterfall.js";
import { forPage } from "./keys.js";
import { close, focusOn, parameters, plain, rowOf } from "./panel.js";

// ------------------------------------------------------------------------------------------- unfold all, follow

const unfold = document.querySelector("[data-unfold]");
unfold?.addEventListener("click", (event) => {
  if (!plain(event)) return;
  event.preventDefault();
  const open = !unfold.hasAttribute("aria-current");
  for (const fold of document.querySelectorAll("#story details.fold, .why details")) fold.open = open;
  unfold.toggleAttribute("aria-current", open);
  if (open) unfold.setAttribute("aria-current", "true");
  unfold.firstChild.data = open ? "Fold " : "Unfold all ";
  const query = parameters();
  if (open) query.set("text", "all");
  else query.delete("text");
  history.replaceState(null, "", `?${query}${location.hash}`);
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

document.querySelector("[data-critical]")?.addEventListener("click", (event) => {
  const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(on));
  document.querySelector(".wf")?.classList.toggle("critical", on);
});

// -------------------------------------------------------------------------------------------------------- keys

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && forPage(event) && close()) event.preventDefault();
});

// A deep link: the span that it names is in sight and has the focus.
const first = parameters().get("span");
const row = rowOf(first);
if (row && !location.hash) {
  const { top, bottom } = row.getBoundingClientRect();
  if (top < 150 || bottom > innerHeight) row.scrollIntoView({ block: "center" });
  focusOn(first);
}

