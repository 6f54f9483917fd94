// The training under way: how far, its loss, how long still. Refuses to know versions, and forgets a run that ended.

import { make, phrase } from "./dom.js";
import { count, duration } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const SEEN = 120;
const NONE = "None runs. `twin train` starts one, `twin up` does it by its schedule.";
const QUEUED = "One waits in the queue until `twin worker` or `twin up` takes it.";

export class Progress {
  #place;
  #losses = [];
  #step = -1;

  constructor(place) {
    this.#place = place;
  }

  /** @param {{state: string, step?: number, steps?: number, loss?: number, seconds_left?: number}|null} training */
  show(training) {
    this.#remember(training);
    this.#place.replaceChildren(...this.#drawn(training));
  }

  #remember(training) {
    const step = training?.step ?? -1;
    if (step < this.#step || !training) this.#losses = [];
    if (step > this.#step && typeof training?.loss === "number") this.#losses = [...this.#losses, training.loss].slice(-SEEN);
    this.#step = step;
  }

  #drawn(training) {
    if (!training) return [make("p", { class: "soft" }, ...phrase(NONE))];
    if (training.state === "queued") return [make("p", {}, ...phrase(QUEUED))];
    if (typeof training.step !== "number" || !training.steps) return [make("p", {}, "One is starting …")];
    const { step, steps, loss, seconds_left: left } = training;
    const words = `Step ${count(step)} of ${count(steps)}`;
    return [
      make("progress", { max: steps, value: Math.min(step, steps), "aria-label": "Training", "aria-valuetext": words }),
      make(
        "dl",
        { class: "facts" },
        ...fact("step", `${count(step)} of ${count(steps)}`),
        ...(typeof loss === "number" ? fact("loss", `${loss.toFixed(3)} nats a token; less is better`) : []),
        ...(typeof left === "number" ? fact("time left", duration(left)) : []),
      ),
      ...(this.#losses.length > 2 ? [line(this.#losses)] : []),
    ];
  }
}

function fact(name, value) {
  return [make("dt", {}, name), make("dd", {}, value)];
}

/** The losses seen while somebody looked, as a line. */
function line(losses) {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const at = (loss, place) => [(100 * place) / (losses.length - 1), 26 - (24 * (loss - low)) / (high - low || 1)];
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 100 28");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("class", "losses");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `Loss since this panel was opened: from ${losses[0].toFixed(3)} to ${losses.at(-1).toFixed(3)}`);
  const drawn = document.createElementNS(SVG, "polyline");
  drawn.setAttribute("points", losses.map((loss, place) => at(loss, place).join(",")).join(" "));
  drawing.append(drawn);
  return drawing;
}
