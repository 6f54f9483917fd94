// What the header says: who answers, or why nobody does. Refuses to know how any of that is found out.

import { make, tell, the } from "./dom.js";

const UNTRAINED = "There is no trained version yet: the bare base model answers, which knows nothing of you. Train first: `twin train`.";
const UNPROMOTED = "No version is promoted: the bare base model answers, which knows nothing of you. Promote one.";
const WORDS = {
  loading: ["wait", "The model is loading …"],
  gone: ["bad", "The server does not answer"],
  locked: ["bad", "The server wants its key"],
  mute: ["bad", "Cannot answer as"],
  ready: ["good", "Answers as"],
};

/**
 * The line under the title.
 * @param {"loading"|"gone"|"locked"|"mute"|"ready"} stage  locked: it wants a key; mute: what is promoted cannot serve
 * @param {string} version  of which the last two stages speak; the menu beside shows it, so the words tell it unseen
 */
export function showStatus(stage, version) {
  const isNamed = stage === "ready" || stage === "mute";
  const [tone, text] = WORDS[stage];
  const status = the("status");
  status.dataset.tone = tone;
  the("version").hidden = !isNamed;
  if (status.textContent === (isNamed ? `${text} ${version}` : text)) return;
  status.replaceChildren(text, ...(isNamed ? [make("span", { class: "unseen" }, ` ${version}`)] : []));
}

/** What should not be as it is, by what /api/state says. */
export function showNotice(state) {
  const isBare = state.ready && !state.versions.some((it) => it.serves || it.promoted);
  const words = state.refused ?? (isBare ? (state.versions.length ? UNPROMOTED : UNTRAINED) : "");
  the("notice").hidden = !words;
  tell(the("notice"), words);
}
