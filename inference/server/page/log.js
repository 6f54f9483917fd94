// The conversation as bubbles. Refuses to know where they come from; text is only ever inserted as text.

import { isAtEnd, make, the } from "./dom.js";
import { kept } from "./words.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Log {
  #log = the("log");
  #scroller = the("scroll");
  #down = the("down");

  constructor() {
    this.#down.addEventListener("click", () => this.toEnd());
    this.#scroller.addEventListener("scroll", () => {
      if (isAtEnd(this.#scroller)) this.#down.hidden = true;
    });
  }

  /** A bubble of the reader's own. */
  mine(text) {
    const last = this.#log.lastElementChild;
    const burst = last?.classList.contains("mine") ? last : this.#put(make("div", { class: "burst mine" }));
    burst.append(bubble("You", text));
    this.toEnd();
  }

  /** The place of a reply that begins; nothing is seen of it yet. */
  reply() {
    const burst = make("div", { class: "burst twin" });
    return {
      add: (text) => this.#grow(() => {
        if (!burst.isConnected) this.#put(burst);
        burst.append(bubble("Twin", text));
      }),
      end: (version, caught) => this.#grow(() => {
        if (!burst.isConnected) this.#put(burst);
        if (!burst.childElementCount) burst.append(make("p", { class: "note" }, "The twin had nothing to say."));
        burst.append(label(version, caught));
      }),
      drop: () => burst.remove(),
    };
  }

  /** A remark of the page itself. */
  remark(text) {
    this.#grow(() => this.#put(make("p", { class: "remark" }, text)));
  }

  clear() {
    this.#log.replaceChildren();
    this.#down.hidden = true;
    the("empty").hidden = false;
  }

  /** Change what stands at the end, and keep it in sight for whoever looks at it. */
  #grow(change) {
    const follow = isAtEnd(this.#scroller);
    change();
    if (follow) this.toEnd();
    else this.#down.hidden = false;
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#down.hidden = true;
  }

  #put(element) {
    the("empty").hidden = true;
    this.#log.append(element);
    return element;
  }
}

function bubble(who, text) {
  const said = make("p", { class: "bubble", dir: "auto" }, text);
  return make("div", { class: "line" }, make("span", { class: "unseen" }, `${who}: `), said);
}

/** Who wrote a reply, when, and what was kept back. */
function label(version, caught) {
  const now = new Date();
  return make(
    "p",
    { class: "label" },
    make("span", { class: "version" }, version ?? "bare base model"),
    " · ",
    make("time", { datetime: now.toISOString() }, TIME.format(now)),
    caught.length ? make("span", { class: "caught" }, kept(caught)) : null,
  );
}
