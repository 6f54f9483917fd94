// The panel beside the chat: open, closed, and looked at. Refuses to know what stands in it.

import { the } from "./dom.js";

/** How often what is in it is looked at again, while somebody can see it. */
const LOOK_MS = 4000;

export class Panel {
  #panel = the("panel");
  #toggle = the("panel-toggle");
  #narrow = matchMedia("(max-width: 900px)");
  #timer = 0;

  /** @param {() => Promise<void>} look */
  constructor(look) {
    this.look = look;
    this.#toggle.addEventListener("click", () => this.#set(this.#panel.hidden));
    the("panel-close").addEventListener("click", () => this.#set(false));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.#set(false);
    });
    this.#narrow.addEventListener("change", () => this.#cover());
    document.addEventListener("visibilitychange", () => this.#watch());
  }

  /** Close it where it covers the chat; true if it did. */
  uncover() {
    if (!this.#narrow.matches) return false;
    this.#set(false);
    return true;
  }

  #set(isOpen) {
    this.#panel.hidden = !isOpen;
    this.#toggle.setAttribute("aria-expanded", String(isOpen));
    this.#cover();
    if (isOpen) the("panel-title").focus();
    else this.#toggle.focus();
    this.#watch();
  }

  /** Where it covers the chat, the chat cannot be reached beneath it. */
  #cover() {
    document.querySelector(".chat").inert = !this.#panel.hidden && this.#narrow.matches;
  }

  async #watch() {
    clearTimeout(this.#timer);
    if (this.#panel.hidden || document.hidden) return;
    await this.look();
    clearTimeout(this.#timer);
    if (!this.#panel.hidden && !document.hidden) this.#timer = setTimeout(() => this.#watch(), LOOK_MS);
  }
}
