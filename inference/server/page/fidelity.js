// What was measured of each version, as a table with what good means. Refuses to know how anything is measured.

import { make, phrase } from "./dom.js";
import { day, written } from "./words.js";

/** Titles, words and forms are those of `twin eval`; `get` finds the number, or {value, low, high}. */
const ROWS = [
  {
    title: "Fidelity",
    good: "1: as near to you as your own past; 0: like somebody else",
    form: "ratio",
    get: (it) => it.report?.separation?.fidelity,
    why: (it) => it.report?.separation?.void,
  },
  {
    title: "AUC of telling it from you",
    good: "0.5: cannot be told apart; 1: always",
    form: "auc",
    get: (it) => it.report?.separation?.auc,
    why: (it) => it.report?.separation?.void,
  },
  {
    title: "Context fit",
    good: "1: as near to what was said as your true replies; 0: as any reply of yours",
    form: "ratio",
    get: (it) => it.report?.context_fit?.fit,
    why: (it) => it.report?.context_fit?.void,
  },
  {
    title: "Copies more than you",
    good: "points of replies taken from the past, above your own rate; 0 is good",
    form: "points",
    get: (it) => it.report?.copying?.excess,
  },
  {
    title: "Loops",
    good: "share of replies that repeat a phrase on and on; 0 is good",
    form: "percent",
    get: (it) => it.report?.copying?.loops,
  },
  {
    title: "Held-out bits",
    good: "what a character of your true replies costs it, in brackets the base model; less is better",
    form: "bits",
    get: (it) => it.metrics?.val_bits_per_character,
    beside: (it) => it.metrics?.val_base_bits_per_character,
  },
];

const KINDS = { full: "full report", quick: "quick report", gate: "the gate's check" };

/** Draw the table, the version that serves first; versions are those of /api/state. */
export function showFidelity(place, versions) {
  const shown = versions.filter((version) => !version.damaged).map(measured).sort((one, other) => other.serves - one.serves);
  if (!shown.length) {
    place.replaceChildren(make("p", { class: "soft" }, "Nothing was measured yet: there is no trained version."));
    return;
  }
  const table = make("table", { "aria-labelledby": "fidelity-title", "aria-describedby": "fidelity-words" }, head(shown), body(shown));
  const left = place.querySelector(".wide")?.scrollLeft ?? 0;
  const wide = make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Fidelity of each version" }, table);
  const missing = shown.filter((it) => !it.report).map((it) => it.version);
  const words = make("small", { id: "fidelity-words" }, CAPTION);
  place.replaceChildren(words, wide, ...(missing.length ? [make("p", { class: "soft" }, ...phrase(toDo(missing)))] : []));
  wide.scrollLeft = left;
}

const CAPTION = "Measured on conversations later than all that a version learned from. In small: the range that it lies in, 19 times of 20.";

function toDo(missing) {
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
  return `How ${missing[0]}${others} sounds was not measured yet: \`twin eval ${missing[0]}\` does it.`;
}

/** A report of `twin eval` tells of several systems, the twin among them; the gate's tells of the twin alone. */
function measured(version) {
  const found = version.fidelity;
  const report = found?.systems ? found.systems.find((system) => system.name === "twin") : found;
  return { ...version, report: report ?? null };
}

function head(shown) {
  const columns = shown.map((it) =>
    make(
      "th",
      { scope: "col", class: it.serves ? "serves" : null },
      it.version,
      it.serves ? make("small", {}, " serves ") : null,
      ...(it.report ? [KINDS[it.fidelity.kind] ?? "report", day(it.fidelity.measured_at)].map((text) => make("small", {}, `${text} `)) : []),
    ),
  );
  return make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Measure"), ...columns));
}

function body(shown) {
  const rows = ROWS.map((row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, row.title, make("small", {}, row.good)),
      ...shown.map((it) => cell(row, it)),
    ),
  );
  return make("tbody", {}, ...rows);
}

function cell(row, it) {
  const found = row.get(it);
  const { value, low, high } = typeof found === "object" && found ? found : { value: found };
  const text = written(value, row.form);
  const attributes = { class: it.serves ? "serves" : null };
  if (text === null) return make("td", attributes, "–", make("small", {}, row.why?.(it) ?? ""));
  return make("td", attributes, text, make("small", {}, aside(row, it, low, high)));
}

function aside(row, it, low, high) {
  const beside = written(row.beside?.(it), row.form);
  if (beside !== null) return `(${beside})`;
  const [from, to] = [written(low, row.form), written(high, row.form)];
  return from !== null && to !== null && from !== to ? `${from} to ${to}` : "";
}
