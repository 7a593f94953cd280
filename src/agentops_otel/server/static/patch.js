// Brings a part of the page to what a newer rendering says. Only what differs is touched, so that focus, selection,
// scrolling and what was unfolded stay. An element with data-keep is left as it is, and what one with data-from holds.

/** The reader's, not the server's. */
const OURS = new Set(["open", "hidden", "style", "tabindex", "value", "checked", "aria-expanded", "aria-selected", "aria-pressed"]);

/** Makes `old` like `fresh`; elements with an id are found again wherever they have moved among their siblings. */
export function patch(old, fresh) {
  if (old.isEqualNode(fresh) || (old instanceof Element && old.hasAttribute("data-keep"))) return;
  if (old.nodeName !== fresh.nodeName || (old.id ?? "") !== (fresh.id ?? "")) {
    old.replaceWith(fresh);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else {
    attributes(old, fresh);
    if (old.hasAttribute("data-from")) return;
    if (old !== document.activeElement || !old.matches("input, textarea, select")) children(old, fresh);
  }
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !OURS.has(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(OURS.has(name) && old.hasAttribute(name))) {
      if (name !== "open") old.setAttribute(name, value);
    }
  }
}

function children(old, fresh) {
  // Rows that were fetched one by one are not in the newer rendering.
  const keep = old.hasAttribute("data-lazy");
  const ids = new Set([...fresh.children].map((child) => child.id));
  const known = new Map();
  // What is gone leaves first: a row that stays is then not moved, which would take the focus from it.
  for (const child of [...old.children]) {
    if (child.id && !keep && !ids.has(child.id)) child.remove();
    else if (child.id) known.set(child.id, child);
  }
  let place = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const match = node.id ? known.get(node.id) : place && !place.id && place.nodeName === node.nodeName ? place : null;
    // Nothing without an id pushes an element with one out of its place.
    while (node.id && match && place && place !== match && !place.id) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
    if (!match) old.insertBefore(node, place);
    else {
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      patch(match, node);
    }
  }
  while (place) {
    const next = place.nextSibling;
    if (!keep || !place.id) place.remove();
    place = next;
  }
}
