// Ctrl-K: go to a page, a period, or a session, by a few letters of it. Loaded when it is first asked for.
const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Go to");
const input = document.createElement("input");
const list = document.createElement("ul");
Object.assign(input, { type: "text", placeholder: "Go to a page or a session", autocomplete: "off" });
list.id = "palette-list";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Places");
for (const [name, value] of [
  ["role", "combobox"],
  ["aria-label", "Page, period or words of a session"],
  ["aria-expanded", "true"],
  ["aria-controls", list.id],
  ["aria-autocomplete", "list"],
]) input.setAttribute(name, value);
dialog.append(input, list);

let request;
let chosen = 0;

const linksOf = (selector, kind) =>
  [...document.querySelectorAll(selector)].map((link) => ({ name: link.textContent.trim(), kind, href: link.href }));

function places() {
  const { origin } = location;
  return [
    ...linksOf(".topbar nav a", "page"),
    { name: "Search", kind: "page", href: `${origin}/search` },
    { name: "System", kind: "page", href: `${origin}/system` },
    ...linksOf("#period > div > a", "period"),
    ...linksOf("#project > div > a", "project"),
  ];
}

function show(found) {
  list.replaceChildren(
    ...found.map(({ name, kind, href }, index) => {
      const item = document.createElement("li");
      const small = document.createElement("small");
      small.textContent = kind;
      const text = document.createElement("bdi");
      text.className = "clip";
      text.textContent = name;
      item.append(text, small);
      item.id = `palette-${index}`;
      item.dataset.href = href;
      item.setAttribute("role", "option");
      return item;
    }),
  );
  choose(0);
}

function choose(index) {
  const all = [...list.children];
  chosen = all.length ? (index + all.length) % all.length : 0;
  all.forEach((item, each) => item.setAttribute("aria-selected", String(each === chosen)));
  if (all[chosen]) input.setAttribute("aria-activedescendant", all[chosen].id);
  else input.removeAttribute("aria-activedescendant");
  all[chosen]?.scrollIntoView({ block: "nearest" });
}

async function look() {
  const words = input.value.trim();
  const low = words.toLowerCase();
  const here = places().filter(({ name }) => name.toLowerCase().includes(low));
  show(here);
  request?.abort();
  request = new AbortController();
  try {
    const query = new URLSearchParams({ q: words, limit: "8" });
    const answer = await fetch(`/sessions.json?${query}`, { signal: request.signal });
    const { sessions } = await answer.json();
    const found = sessions.map(({ session_id: id, name, asked }) => ({
      name: `${name} ${asked}`,
      kind: "session",
      href: `${location.origin}/s/${encodeURIComponent(id)}`,
    }));
    if (words) found.push({ name: `Search for ${words}`, kind: "search", href: `${location.origin}/search?${new URLSearchParams({ q: words })}` });
    show([...here, ...found]);
  } catch {
    // Another letter was typed, or the server is away: the pages can still be chosen.
  }
}

function go(item) {
  if (!item) return;
  dialog.close();
  location.assign(item.dataset.href);
}

list.addEventListener("click", (event) => go(event.target.closest("[role=option]")));

let timer;
input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, 80);
});
input.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(chosen + step);
  else if (event.key === "Enter") go(list.children[chosen]);
  else return;
  event.preventDefault();
});

/** Opens the palette. */
export function open() {
  if (!dialog.isConnected) document.body.append(dialog);
  if (dialog.open) return;
  input.value = "";
  dialog.showModal();
  look();
}
