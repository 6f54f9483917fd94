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

/** Whether the reader sees the end of what scrolls, give or take a line. */
export function isAtEnd(scroller) {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
}
