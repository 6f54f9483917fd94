// Whether the server answers and its model is loaded: watched until it is. Refuses to know what it is needed for.

import { Trouble } from "./api.js";

const AGAIN_MS = 1500;

export class Readiness {
  #ready = null;

  /** @param {(stage: "loading"|"ready"|"gone") => void} onStage */
  constructor(api, onStage) {
    this.api = api;
    this.onStage = onStage;
  }

  /** Look until the model is loaded; one watch at a time. */
  watch() {
    this.#ready ??= this.#look().finally(() => (this.#ready = null));
    return this.#ready;
  }

  /** Resolves once the model is loaded; rejects when aborted, or when there is no server. */
  async until(signal) {
    while (!(await this.api.isReady())) {
      this.onStage("loading");
      await pause(AGAIN_MS);
      signal.throwIfAborted();
    }
    this.onStage("ready");
  }

  async #look() {
    for (;;) {
      try {
        if (await this.api.isReady()) return this.onStage("ready");
        this.onStage("loading");
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.onStage("gone");
      }
      await pause(AGAIN_MS);
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
