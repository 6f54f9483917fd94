// Elements: finding and making them. Refuses to know markup: text becomes text, never HTML, whoever wrote it.

/** The element of this id; the page and its scripts belong together, so a missing one is a mistake of ours. */
export function the(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * A new element.
 * @param {string} tag
 * @param {Object<string, unknown>} attributes  `class`, `title`, `data-...`: attributes; functions: listeners by name;
 *   what is null, undefined or false is left out, true is an attribute without a value.
 * @param {...(Node|string|null)} children  strings become text nodes
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** A sentence whose `commands` stand between backticks, as they do in all that the server says: nodes to put in. */
export function phrase(text) {
  return text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : document.createTextNode(part)));
}

/** Let an element hold a sentence, and touch nothing if it does already: readers of screens are told once. */
export function tell(element, text) {
  if (element.dataset.told === text) return;
  element.dataset.told = text;
  element.replaceChildren(...phrase(text));
}

/** Whether the reader sees the end of what scrolls, give or take a line. */
export function isAtEnd(scroller) {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
}
