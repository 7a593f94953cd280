// The one word in the top bar that says how the page stands.
const pulse = document.getElementById("pulse");
let standing = pulse?.textContent ?? "";
let passing;

function show(word, tone) {
  if (!pulse || pulse.textContent === word) return;
  pulse.textContent = word;
  pulse.className = `pulse ${tone}`;
}

/** How the page stands from now on. */
export function stand(word, tone = "live") {
  standing = word;
  pulse?.setAttribute("data-tone", tone);
  if (!passing) show(word, tone);
}

/** A word for a moment, such as "Copied". */
export function say(word, tone = "live") {
  clearTimeout(passing);
  show(word, tone);
  passing = setTimeout(() => {
    passing = undefined;
    show(standing, pulse?.dataset.tone ?? "live");
  }, 1500);
}
