// What was said so far, in memory alone. Refuses to know how it is shown or asked for.

/** So many characters, newest first, are told to the server: more than a model reads, less than a request may hold. */
const MOST = 40_000;

export class Conversation {
  /** @type {{role: "user"|"assistant", text: string, at: string, reply: number|null}[]} */
  #bubbles = [];
  #replies = 0;

  /** Somebody writes to the twin. */
  hear(text) {
    this.#bubbles.push({ role: "user", text, at: now(), reply: null });
  }

  /** A number for the reply that begins. */
  begin() {
    return ++this.#replies;
  }

  /** A bubble of a reply. */
  say(reply, text) {
    this.#bubbles.push({ role: "assistant", text, at: now(), reply });
  }

  /** Take back what came of a reply, to ask for it again. */
  unsay(reply) {
    this.#bubbles = this.#bubbles.filter((bubble) => bubble.reply !== reply);
  }

  forget() {
    this.#bubbles = [];
  }

  get isEmpty() {
    return this.#bubbles.length === 0;
  }

  /** Whether something waits for an answer. */
  get isOpen() {
    return this.#bubbles.at(-1)?.role === "user";
  }

  /**
   * As the API wants it, a message for each bubble: the server makes turns of them, and reads from the times who paused
   * for how long. `bubbles` instead of `content` keeps the line breaks within one.
   */
  messages() {
    let left = MOST;
    const first = this.#bubbles.findLastIndex(({ text }) => (left -= text.length) < 0) + 1;
    const told = this.#bubbles.slice(Math.min(first, this.#bubbles.length - 1));
    return told.map(({ role, text, at }) => ({ role, bubbles: [text], at }));
  }
}

/** The moment as the API wants it. */
export function now() {
  return new Date().toISOString();
}
