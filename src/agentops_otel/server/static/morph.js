// Makes a part of the page equal to a fresh one and touches only what differs, so that focus, selection, scrolling and
// what a person has unfolded stay. Elements with the same id are the same.

/** What the person or a script of the page decides, never the server again. */
const OURS = new Set([
  "open", "hidden", "style", "tabindex", "value", "checked",
  "aria-selected", "aria-expanded", "aria-pressed", "aria-current", "aria-busy",
]);

/** Makes `old` like `fresh`, which is used up. */
export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id ?? "") !== (fresh.id ?? "")) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (!OURS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!OURS.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  children(old, fresh);
}

function children(old, fresh) {
  const named = new Map();
  for (const child of old.children) if (child.id) named.set(child.id, child);
  const kept = new Set([...fresh.children].map((child) => child.id).filter((id) => named.has(id)));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const known = child.id ? named.get(child.id) : undefined;
    if (known) {
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      morph(known, child);
      continue;
    }
    while (place?.id && named.has(place.id) && !kept.has(place.id)) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
    const alike = place && !place.id && !child.id && place.nodeName === child.nodeName;
    if (alike) {
      const same = place;
      place = place.nextSibling;
      morph(same, child);
    } else old.insertBefore(child, place);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}
