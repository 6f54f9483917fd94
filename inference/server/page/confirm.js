// A question with two answers. Refuses to know what is at stake.

import { the } from "./dom.js";

/** Whether the reader says yes. Escape and Cancel are no. */
export function confirm(title, words, yes) {
  const dialog = the("confirm");
  the("confirm-title").textContent = title;
  the("confirm-words").textContent = words;
  the("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
