// What the server is asked, and what went wrong in words. Refuses to know the page: nothing here touches an element.

import { events } from "./sse.js";

const GONE = "The server does not answer. Is `twin serve` still running? Then try again.";
const LOCKED = "The server wants its key. Try again and enter it.";
const CUT = "The connection broke off in the middle of the answer. Try again.";
/** For what is answered at once, or by nobody. */
const QUICK = () => ({ signal: AbortSignal.timeout(20_000) });

/** One sentence with what to do. `status` is 0 when no answer came at all. */
export class Trouble extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export class Api {
  /** @param {{get: () => string|null, ask: (wasWrong: boolean, isPressing: boolean) => Promise<string|null>}} keys */
  constructor(keys) {
    this.keys = keys;
  }

  /** Whether the model is loaded; a Trouble when there is no server. */
  async isReady() {
    const answer = await this.#fetch("readyz", QUICK(), null);
    if (answer.status === 503) return false;
    await refuse(answer);
    return true;
  }

  /** The versions, which one serves, and the training under way. */
  async state() {
    return (await this.#send("api/state", QUICK())).json();
  }

  /** Let a version answer everybody from the next reply on. */
  async promote(version) {
    await this.#post("api/promote", { version });
  }

  /** Let the one that served before answer again. */
  async rollback() {
    await this.#post("api/rollback", {});
  }

  /**
   * Ask for a reply: yields each bubble as it comes; returns {adapter, caught} of the whole reply.
   * @param {object[]} messages  of the conversation; see conversation.js
   * @param {string} at  the moment of the reply, ISO 8601
   * @param {string} model  "twin" or a version
   * @param {AbortSignal} signal
   */
  async *reply(messages, at, model, signal) {
    const answer = await this.#post("v1/chat/completions", { model, messages, stream: true, twin: { at } }, { signal });
    let about = null;
    let first = true;
    let isWhole = false;
    try {
      for await (const data of events(answer.body)) {
        if (data === "[DONE]") {
          isWhole = true;
          break;
        }
        const chunk = JSON.parse(data);
        if (chunk.error) throw new Trouble(chunk.error.message || CUT, answer.status);
        const text = chunk.choices?.[0]?.delta?.content;
        if (text) {
          yield first ? text : text.replace(/^\n/, "");
          first = false;
        }
        about = chunk.twin ?? about;
      }
    } catch (error) {
      if (error instanceof Trouble || signal.aborted) throw error;
      throw new Trouble(CUT);
    }
    if (!isWhole) throw new Trouble(CUT);
    return { adapter: about?.adapter ?? null, caught: about?.caught ?? [] };
  }

  #post(path, body, how = {}) {
    const headers = { "Content-Type": "application/json" };
    return this.#send(path, { method: "POST", headers, body: JSON.stringify(body), ...how });
  }

  /** A request with the key, asked for when the server wants one; its answer is a good one. */
  async #send(path, options) {
    for (;;) {
      const key = this.keys.get();
      const answer = await this.#fetch(path, options, key);
      if (answer.status !== 401) {
        await refuse(answer);
        return answer;
      }
      if (this.keys.get() !== key) continue; // another request asked for it meanwhile
      const isPressing = options.method === "POST";
      if ((await this.keys.ask(key !== null, isPressing)) === null) throw new Trouble(LOCKED, 401);
    }
  }

  async #fetch(path, options, key) {
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    try {
      return await fetch(path, { ...options, headers, cache: "no-store", referrerPolicy: "no-referrer" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Trouble(GONE);
    }
  }
}

/** Throw what the server said was wrong, if anything was. */
async function refuse(answer) {
  if (answer.ok) return;
  const said = await answer.json().catch(() => null);
  const message = said?.error?.message ?? (typeof said?.detail === "string" ? said.detail : null);
  if (answer.status === 413) throw new Trouble(`${message} Begin a new conversation.`, 413);
  throw new Trouble(message || `The server answered with an error (${answer.status}). Its log says why; then try again.`, answer.status);
}
