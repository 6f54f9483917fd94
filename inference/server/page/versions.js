// The versions: which serves, which one this conversation tries, promoting and rolling back. Refuses to know what they say.

import { confirm } from "./confirm.js";
import { make, phrase, tell, the } from "./dom.js";
import { moment } from "./words.js";

/** Names in the API: whichever version serves, and the bare base model. */
const SERVING = "twin";
const BASE = "base";
const NOWHERE = "It answers from the next reply on, everywhere: on this page, in Telegram, to every program that asks.";

export class Versions {
  /** What this conversation asks for. */
  model = SERVING;
  #state = { versions: [], serving: null };
  #select = the("version");
  #said = make("p", { role: "status" });
  #drawn = "";

  /**
   * @param {{api: object, onTrial: (words: string) => void, onSaid: (words: string) => void,
   *   onTalk: () => void, onChanged: () => Promise<void>}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.#select.addEventListener("change", () => this.try(this.#select.value));
    the("trial-end").addEventListener("click", () => this.try(SERVING));
    the("trial-promote").addEventListener("click", () => this.#promote(this.model));
  }

  /** Take in what /api/state says. */
  show(state) {
    const now = JSON.stringify([state.versions, state.serving]);
    this.#state = state;
    if (now === this.#drawn) return; // what has the focus keeps it
    this.#drawn = now;
    const gone = ![SERVING, BASE].includes(this.model) && !state.versions.some((it) => it.version === this.model);
    if (gone) this.try(SERVING);
    this.#fill();
    this.#list();
    this.#trial();
  }

  /** Let another version answer in this conversation only. */
  try(model) {
    if (model === this.model) return;
    this.model = model;
    this.#select.value = model;
    this.#trial();
    this.onTrial(model === SERVING ? "From here on the version that serves answers." : `From here on ${named(model)} answers.`);
  }

  /** Who answers in this conversation, in words. */
  get who() {
    return named(this.isServing ? (this.#state.serving ?? this.#promoted ?? BASE) : this.model);
  }

  /** Whether that is whatever serves. */
  get isServing() {
    return this.model === SERVING;
  }

  get #promoted() {
    return this.#state.versions.find((it) => it.promoted)?.version;
  }

  /** A new conversation is answered by what serves. */
  reset() {
    this.model = SERVING;
    this.#select.value = SERVING;
    this.#trial();
  }

  #fill() {
    const { versions, serving } = this.#state;
    const promoted = this.#promoted;
    const others = versions.filter((it) => !it.damaged && it.version !== (serving ?? promoted));
    const what = serving ? `${serving} (serves)` : promoted ? `${promoted} (promoted)` : named(BASE);
    const hasBase = serving || promoted || this.model === BASE;
    this.#select.replaceChildren(
      make("option", { value: SERVING }, what),
      ...others.map((it) => make("option", { value: it.version }, it.version)),
      ...(hasBase ? [make("option", { value: BASE }, named(BASE))] : []),
    );
    this.#select.value = this.model;
  }

  #trial() {
    const version = this.#state.versions.find((it) => it.version === this.model);
    the("trial").hidden = this.model === SERVING;
    the("trial-words").textContent = `Only this conversation is answered by ${named(this.model)}.`;
    the("trial-promote").hidden = !version || version.promoted || version.stale;
  }

  #list() {
    const { versions } = this.#state;
    const place = the("versions");
    if (!versions.length) {
      place.replaceChildren(make("p", { class: "soft" }, ...phrase("There is none yet: `twin train` makes the first.")));
      return;
    }
    const back = versions.filter((it) => it.promoted_at).length > 1;
    place.replaceChildren(
      this.#said,
      make("ul", { class: "versions" }, ...versions.map((it) => this.#row(it))),
      ...(back ? [make("button", { class: "plain", type: "button", click: () => this.#rollback() }, "Roll back to the one before")] : []),
    );
  }

  #row(it) {
    const name = make("div", { class: "name" }, it.version, ...badges(it).map(([tone, text]) => make("span", { class: `badge ${tone}` }, text)));
    const able = !it.damaged && !it.serves;
    const button = (text, act) =>
      make("button", { class: "plain small", type: "button", "aria-label": `${text}: ${it.version}`, click: act }, text);
    return make(
      "li",
      {},
      make("div", {}, name, make("small", {}, moment(it.created_at))),
      make(
        "div",
        { class: "acts" },
        able ? button("Talk to it", () => this.#talk(it.version)) : null,
        able && !it.stale && !it.promoted ? button("Promote", () => this.#promote(it.version)) : null,
      ),
    );
  }

  #talk(version) {
    this.try(version);
    this.onTalk();
  }

  async #promote(version) {
    if (!(await confirm("Promote this version?", `${version}. ${NOWHERE}`, "Promote"))) return;
    await this.#change(() => this.api.promote(version), `${version} is promoted.`);
  }

  async #rollback() {
    const words = `What serves now is withdrawn, and the version that served before it answers again. ${NOWHERE}`;
    if (!(await confirm("Roll back?", words, "Roll back"))) return;
    await this.#change(() => this.api.rollback(), "Rolled back.");
  }

  async #change(act, done) {
    try {
      await act();
      this.#tell(done, false);
      if (this.model !== SERVING) this.try(SERVING);
    } catch (error) {
      this.#tell(error.message, true);
    }
    await this.onChanged();
  }

  #tell(words, isWrong) {
    tell(this.#said, words);
    this.#said.className = isWrong ? "said wrong" : "said";
    if (!this.#said.isConnected) the("versions").prepend(this.#said);
    if (the("panel").hidden) this.onSaid(words);
  }
}

function named(model) {
  return model === BASE ? "the bare base model" : model;
}

function badges(it) {
  return [
    it.serves ? ["good", "serves"] : null,
    it.promoted && !it.serves ? ["warn", "promoted"] : null,
    it.stale ? ["warn", "learned from what was forgotten since"] : null,
    it.damaged ? ["warn", "damaged"] : null,
  ].filter(Boolean);
}
