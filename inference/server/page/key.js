// The server's key: asked for once, kept for this tab alone. Refuses to know what it opens.

import { the } from "./dom.js";

const NAME = "twin-key";
const FIRST = "It stands in the file server-key in the twin's home (`twin serve --set-key` makes one). It is kept until this tab is closed.";
const WRONG = "That key was not accepted. It stands in the file server-key in the twin's home; `twin serve --set-key` makes a new one.";

export class Keys {
  #asking = null;
  #isDeclined = false;

  constructor() {
    the("key-cancel").addEventListener("click", () => the("ask-key").close("no"));
  }

  get() {
    return sessionStorage.getItem(NAME);
  }

  /**
   * Ask the reader, once for all that wait; null when they would rather not. Then only what they do themselves, which is
   * pressing, asks again.
   */
  async ask(wasWrong, isPressing) {
    if (this.#isDeclined && !isPressing) return null;
    this.#asking ??= this.#show(wasWrong).finally(() => (this.#asking = null));
    const key = await this.#asking;
    this.#isDeclined = key === null;
    return key;
  }

  #show(wasWrong) {
    const dialog = the("ask-key");
    const field = the("key");
    the("key-words").textContent = wasWrong ? WRONG : FIRST;
    sessionStorage.removeItem(NAME);
    field.value = "";
    dialog.returnValue = "no";
    dialog.showModal();
    field.focus();
    return new Promise((resolve) => {
      dialog.addEventListener(
        "close",
        () => {
          const key = dialog.returnValue === "yes" ? field.value.trim() : "";
          field.value = "";
          if (key) sessionStorage.setItem(NAME, key);
          resolve(key || null);
        },
        { once: true },
      );
    });
  }
}
