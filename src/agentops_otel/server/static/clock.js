// Durations that tick while something runs, by the clock of the server.
const THIN = "\u202f";
let ahead = 0; // milliseconds that the server's clock is ahead of this one

/** Says what time it is at the server. */
export function setClock(milliseconds) {
  ahead = milliseconds - Date.now();
}

/** The parts of a duration as the server writes them, with tenths in the first minute. */
function parts(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 60) return [[(Math.floor(seconds * 10) / 10).toFixed(1), "s"]];
  const two = (number) => String(number).padStart(2, "0");
  const whole = Math.floor(seconds);
  if (whole < 3600) return [[Math.floor(whole / 60), "m"], [two(whole % 60), "s"]];
  return [[Math.floor(whole / 3600).toLocaleString("en"), "h"], [two(Math.floor((whole % 3600) / 60)), "m"]];
}

function write(element, milliseconds) {
  const time = document.createElement("time");
  time.dateTime = `PT${(milliseconds / 1000).toFixed(1)}S`;
  parts(milliseconds).forEach(([number, unit], index) => {
    const mark = document.createElement("i");
    mark.textContent = unit;
    time.append(`${index ? " " : ""}${number}${THIN}`, mark);
  });
  if (element.textContent !== time.textContent) element.replaceChildren(time);
}

function tick() {
  const now = Date.now() + ahead;
  for (const element of document.querySelectorAll("[data-since]")) {
    const past = now - Date.parse(element.dataset.since);
    if (Number.isFinite(past)) write(element, past);
  }
}

/** Ticks each tenth of a second while something is in its first minute, else once a second; not while hidden. */
function run() {
  if (document.hidden) return;
  tick();
  const young = [...document.querySelectorAll("[data-since]")].some(
    (element) => Date.now() + ahead - Date.parse(element.dataset.since) < 60_000,
  );
  clearTimeout(run.timer);
  run.timer = setTimeout(run, young ? 100 : 1000);
}

document.addEventListener("visibilitychange", run);
run();
