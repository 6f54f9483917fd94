// When the twin is asked, and what becomes of its reply. Refuses to know how either side is shown.

import { Trouble } from "./api.js";
import { now } from "./conversation.js";

/** So long is a pause that ends a burst. */
const QUIET_MS = 1200;

/**
 * One reply at a time. What the reader adds while one is being written interrupts it: a new message may change what
 * there is to say. Stages: "idle", "pause" (whether more comes), "writing".
 */
export class Asking {
  #timer = 0;
  #under = null;
  #last = null;

  /**
   * @param {{api: object, conversation: object, log: object, model: () => string,
   *   whenReady: (signal: AbortSignal) => Promise<void>, onStage: (stage: string) => void,
   *   onTrouble: (trouble: {message: string}|null) => void, onReplied: () => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The reader sent a bubble. */
  heard() {
    this.#interrupt();
    this.onTrouble(null);
    this.#wait();
  }

  /** The reader is typing: the burst is not over. */
  typed() {
    if (this.#timer) this.#wait();
  }

  /** Ask at once. */
  now() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.conversation.isOpen && !this.#under) this.#ask();
  }

  /** Break the reply off; what was said stays. True when there was something to stop. */
  stop() {
    if (!this.#under && !this.#timer) return false;
    this.#interrupt();
    this.onStage("idle");
    this.onTrouble({ message: "Stopped." });
    return true;
  }

  /** Ask for the last reply once more, in the place of what came of it. */
  again() {
    this.#interrupt();
    if (this.#last) {
      this.conversation.unsay(this.#last.number);
      this.#last.place.drop();
      this.#last = null;
    }
    this.onTrouble(null);
    if (this.conversation.isOpen) this.#ask();
  }

  /** Drop everything that is under way. */
  reset() {
    this.#interrupt();
    this.#last = null;
    this.onStage("idle");
    this.onTrouble(null);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), QUIET_MS);
    this.onStage("pause");
  }

  #interrupt() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#under?.abort();
    this.#under = null;
  }

  async #ask() {
    const under = new AbortController();
    const { signal } = under;
    this.#under = under;
    this.onTrouble(null);
    this.onStage("writing");
    try {
      await this.#hear(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.onTrouble(error instanceof Trouble ? error : new Trouble(`The page made a mistake: ${error.message}. Reload it.`));
    }
    if (this.#under !== under) return;
    this.#under = null;
    this.onStage("idle");
    this.onReplied();
  }

  async #hear(signal) {
    const place = this.log.reply();
    const number = this.conversation.begin();
    this.#last = { place, number };
    await this.whenReady(signal);
    const bubbles = this.api.reply(this.conversation.messages(), now(), this.model(), signal);
    for (;;) {
      const { value, done } = await bubbles.next();
      signal.throwIfAborted();
      if (done) {
        place.end(value.adapter, value.caught);
        return;
      }
      this.conversation.say(number, value);
      place.add(value);
    }
  }
}
