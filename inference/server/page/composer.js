// Where the reader writes: Enter sends, Shift and Enter make a line. Refuses to know what becomes of it.

import { the } from "./dom.js";

const MOST_PX = 180;

export class Composer {
  #draft = the("draft");

  /** @param {{onSend: (text: string) => void, onTyping: () => void}} told */
  constructor({ onSend, onTyping }) {
    this.onSend = onSend;
    the("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#draft.addEventListener("keydown", (event) => {
      // 229: the Enter that ends the composing of a Chinese or Japanese word, in browsers that say so only thus
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    });
    this.#draft.addEventListener("input", () => {
      this.#fit();
      onTyping();
    });
    this.#fit();
  }

  focus() {
    this.#draft.focus();
  }

  #send() {
    const text = this.#draft.value.trim();
    this.#draft.focus();
    if (!text) return;
    this.#draft.value = "";
    this.#fit();
    this.onSend(text);
  }

  /** As high as what stands in it, up to a limit. */
  #fit() {
    this.#draft.style.height = "auto";
    this.#draft.style.height = `${Math.min(this.#draft.scrollHeight + 2, MOST_PX)}px`;
  }
}
