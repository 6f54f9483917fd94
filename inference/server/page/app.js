// The page: puts its parts together. Refuses to know how any of them does what it does.

import { Api } from "./api.js";
import { Asking } from "./asking.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { tell, the } from "./dom.js";
import { showFidelity } from "./fidelity.js";
import { showNotice, showStatus } from "./header.js";
import { Keys } from "./key.js";
import { Log } from "./log.js";
import { Panel } from "./panel.js";
import { Progress } from "./progress.js";
import { Readiness } from "./readiness.js";
import { Versions } from "./versions.js";

const api = new Api(new Keys());
const conversation = new Conversation();
const log = new Log();
const progress = new Progress(the("training"));
const versions = new Versions({
  api,
  onTrial,
  onSaid: (words) => log.remark(words),
  onTalk: () => panel.uncover() && composer.focus(),
  onChanged: look,
});
const readiness = new Readiness(api, onReadiness);
let stage = "loading";
let isMute = false;

const asking = new Asking({
  api,
  conversation,
  log,
  model: () => versions.model,
  whenReady: (signal) => readiness.until(signal),
  onStage: showStage,
  onTrouble: showTrouble,
  onReplied: look,
});
const composer = new Composer({
  onSend: (text) => {
    conversation.hear(text);
    log.mine(text);
    asking.heard();
  },
  onTyping: () => asking.typed(),
});
const panel = new Panel(look);

/** What the server knows, shown everywhere. A failure is the header's business alone. */
async function look() {
  try {
    const state = await api.state();
    isMute = !state.serving && Boolean(state.refused);
    if (stage === "locked") readiness.watch();
    versions.show(state);
    showFidelity(the("fidelity"), state.versions);
    progress.show(state.training);
    showNotice(state);
    showWho();
  } catch (error) {
    if (error.status === 0) readiness.watch();
    if (error.status === 401) onReadiness("locked");
  }
}

/** Another version answers from here on: told where something stands before it. */
function onTrial(words) {
  if (!conversation.isEmpty) log.remark(words);
  showWho();
}

function onReadiness(now) {
  const isNew = now !== stage;
  stage = now;
  showWho();
  if (isNew && now === "ready") look();
}

/** What is promoted cannot serve, and nothing else stands in for it; another version can still be tried. */
function showWho() {
  showStatus(stage === "ready" && isMute && versions.isServing ? "mute" : stage, versions.who);
}

function showStage(now) {
  the("typing").hidden = now !== "writing";
  the("stop").hidden = now !== "writing";
  the("now").hidden = now !== "pause";
  the("doing").textContent = { writing: "The twin is typing.", pause: "", idle: "" }[now];
  if (now !== "idle") log.toEnd();
}

function showTrouble(trouble) {
  the("trouble").hidden = !trouble;
  the("trouble").classList.toggle("calm", !(trouble instanceof Error));
  tell(the("trouble-words"), trouble?.message ?? "");
  if (trouble) log.toEnd();
  if (trouble?.status === 0) readiness.watch();
}

/** Buttons that vanish when pressed leave the reader where they write. */
function onPress(id, act) {
  the(id).addEventListener("click", () => {
    act();
    composer.focus();
  });
}

onPress("now", () => asking.now());
onPress("stop", () => asking.stop());
onPress("retry", () => asking.again());
onPress("fresh", () => {
  asking.reset();
  conversation.forget();
  log.clear();
  versions.reset();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) asking.stop();
});
composer.focus();
readiness.watch();
look();
