// Numbers and names as a person reads them. Refuses to know where they stand.

/** What the guard keeps back, by kind; see inference/guard.py. */
const KINDS = {
  empty: "an empty answer",
  role: "words that are not the twin's to say",
  loop: "a phrase over and over",
  secret: "secret",
  vault: "secret of yours",
  others: "somebody else's words",
  failed: "what could not be checked",
};

/** "something was kept back: secret"; each kind once. */
export function kept(caught) {
  const kinds = [...new Set(caught)].map((kind) => KINDS[kind] ?? kind.replaceAll("_", " "));
  return `something was kept back: ${kinds.join(", ")}`;
}

/** "about 3 h 20 min", "about 12 min", "less than a minute". */
export function duration(seconds) {
  if (seconds < 60) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} min`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A day and a time in the reader's own way; empty for none. */
export function moment(iso) {
  const at = new Date(iso ?? NaN);
  if (Number.isNaN(at.getTime())) return "";
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

/** A day in the reader's own way.  @param {number} seconds  since 1970 */
export function day(seconds) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(1000 * seconds));
}

export function count(number) {
  return number.toLocaleString("en");
}

/** A number as `twin eval` writes it; null for none. Forms: ratio, auc, percent, points, bits. */
export function written(value, form) {
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  if (form === "percent") return `${(100 * value).toFixed(value === 0 || value >= 0.1 ? 0 : 1)} %`;
  if (form === "points") return signed(100 * value, 1);
  return value.toFixed(form === "ratio" ? 2 : 3);
}

function signed(value, digits) {
  const text = value.toFixed(digits);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text.replace("-", "−");
}
