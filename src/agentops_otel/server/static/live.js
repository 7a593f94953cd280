// Keeps a page up to date. The server says which sessions have changed; the page fetches itself once more, at most once
// a second, and takes over what differs. So there is one rendering of everything, and no second one in a script.
//
// Before it is taken over, "ao:fresh" is dispatched on the document with the fresh page: a script may still change it.
import { setClock } from "./clock.js";
import { patch } from "./patch.js";
import { say, stand } from "./pulse.js";

const main = document.getElementById("main");
const waiting = () => document.querySelector("[data-waiting]");
let source;
let version; // of the server: another one has other scripts
let timer;
let next = 0; // the earliest time of the next fetch
let behind = false; // something has changed that is not shown

/** Whether a change of these sessions is to be seen on this page. */
function concerns(ids) {
  const shown = document.querySelector("[data-session]")?.dataset.session;
  return !shown || ids.includes(shown);
}

/** Fetches the page again, soon. */
export function refresh() {
  behind = true;
  if (timer || document.hidden) return;
  timer = setTimeout(fetchPage, Math.max(100, next - Date.now()));
}

async function fetchPage() {
  const began = Date.now();
  const address = location.href;
  const slow = setTimeout(() => say("Loading"), 400);
  behind = false;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.ok && address === location.href) takeOver(await answer.text());
  } catch {
    behind = true; // the connection says so too, and its return fetches again
  } finally {
    clearTimeout(slow);
    timer = undefined;
    next = Date.now() + Math.max(1000, 4 * (Date.now() - began));
    if (behind && source?.readyState === EventSource.OPEN) refresh();
  }
}

function takeOver(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = page.getElementById("main");
  if (!fresh) return;
  if (waiting() && !fresh.querySelector("[data-waiting]")) {
    if (document.querySelector("form[aria-busy]")) return; // it is about to go where its answer says
    // The first session: there is nothing to choose from yet.
    const rows = fresh.querySelectorAll("#rows a[href^='/s/']");
    location.replace(rows.length === 1 ? rows[0].getAttribute("href") : location.href);
    return;
  }
  document.dispatchEvent(new CustomEvent("ao:fresh", { detail: { page } }));
  patch(main, document.adoptNode(fresh));
  if (document.title !== page.title) document.title = page.title;
}

function connect() {
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource("/live");
  source.addEventListener("hello", (event) => {
    const hello = JSON.parse(event.data);
    setClock(hello.now_ms);
    if (version && version !== hello.version) location.reload();
    version = hello.version;
    stand(waiting() ? "Waiting" : "Live");
    if (behind) refresh();
  });
  source.addEventListener("sessions", (event) => {
    const { ids, now_ms: now } = JSON.parse(event.data);
    setClock(now);
    if (concerns(ids)) refresh();
  });
  source.addEventListener("received", () => {
    if (waiting() || document.querySelector("[data-counts]")) refresh();
  });
  source.addEventListener("refetch", refresh);
  source.addEventListener("error", () => {
    stand("Reconnecting", "warn");
    behind = true;
    // A browser comes back by itself after a lost connection, and not after an answer that is an error.
    if (source.readyState === EventSource.CLOSED && !document.hidden) setTimeout(connect, 2000);
  });
}

function disconnect() {
  source?.close();
  clearTimeout(timer);
  timer = undefined;
  behind = true;
  stand("Paused", "quiet");
}

// A browser has six connections for a server: a tab that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && connect());
if (main && !document.hidden) connect();
