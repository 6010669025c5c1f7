// Makes a part of the page equal to another version of it, and touches nothing that is equal already. What people have
// in hand stays in theirs: focus, open lists, selected text, scroll positions, open details.
//
// The children of an element are paired with those of its new version by id or `data-key`, else in their order, each
// with the next one of the same tag and class. What has no partner goes or comes. An element marked with `data-keep` is
// its script's and stays as it is; with `data-keep="content"` its attributes are brought up to date, its content not.

// Whether the user, and not the page, has the say about an attribute.
const isTheirs = (element, name) => element.nodeName === "DETAILS" && name === "open";

// Changes `before`, which is in the page, into `after`, which is used up.
export function morph(before, after) {
  if (before.isEqualNode(after) || before.dataset?.keep === "") return;
  for (const name of after.getAttributeNames()) {
    const value = after.getAttribute(name);
    if (before.getAttribute(name) !== value && !isTheirs(before, name)) before.setAttribute(name, value);
  }
  for (const name of before.getAttributeNames()) {
    if (!after.hasAttribute(name) && !isTheirs(before, name)) before.removeAttribute(name);
  }
  if (before.dataset?.keep === undefined) morphChildren(before, after);
}

function morphChildren(parent, after) {
  const partners = pair(parent, after);
  const kept = new Set(partners.values());
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let place = parent.firstChild; // where the next child belongs
  for (const child of [...after.childNodes]) {
    if (child.nodeType !== Node.ELEMENT_NODE) {
      if (place && place.nodeType === child.nodeType) {
        write(place, child.data);
        place = place.nextSibling;
      } else {
        parent.insertBefore(child, place);
      }
      continue;
    }
    while (place && place.nodeType !== Node.ELEMENT_NODE) place = remove(place);
    const partner = partners.get(child);
    if (!partner) {
      parent.insertBefore(child, place);
    } else if (partner === place) {
      place = place.nextSibling;
    } else {
      move(parent, partner, place);
    }
    if (partner) morph(partner, child);
  }
  while (place) place = remove(place);
}

// Returns the partners of the new children among the old ones.
function pair(parent, after) {
  const free = new Map();
  for (const child of parent.children) {
    const kind = kindOf(child);
    if (!free.has(kind)) free.set(kind, []);
    free.get(kind).push(child);
  }
  for (const list of free.values()) list.reverse(); // so that the next one is the last
  return new Map([...after.children].map((child) => [child, free.get(kindOf(child))?.pop()]).filter(([, old]) => old));
}

// Two children can be partners if they are of one kind.
function kindOf(element) {
  const key = element.id || element.dataset.key;
  return key ? `${element.nodeName}#${key}` : `${element.nodeName}.${element.getAttribute("class") ?? ""}`;
}

// Writes what is new of a text, so that a selection that begins or ends in the rest of it stays.
function write(node, text) {
  const old = node.data;
  if (old === text) return;
  const most = Math.min(old.length, text.length);
  let start = 0;
  while (start < most && old[start] === text[start]) start += 1;
  let end = 0;
  while (end < most - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  node.replaceData(start, old.length - start - end, text.slice(start, text.length - end));
}

function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

// Moves a child, with its focus and scroll positions where the browser can.
function move(parent, child, place) {
  if (parent.moveBefore) return parent.moveBefore(child, place);
  const focused = child.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(child, place);
  focused?.focus({ preventScroll: true });
}
