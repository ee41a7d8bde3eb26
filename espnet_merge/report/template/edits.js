// Edits: correct text, and [reference, hypothesis] for each error. The page says by
// separator() what stands between words.
const isError = (part) => Array.isArray(part);

function counts(edits) {
  const errors = edits.filter(isError);
  const deleted = errors.filter(([, hypothesis]) => hypothesis === null).length;
  const inserted = errors.filter(([reference]) => reference === null).length;
  return { all: errors.length, swapped: errors.length - deleted - inserted, deleted, inserted };
}

const side = (edits, index) =>
  edits.map((part) => (isError(part) ? part[index] : part)).filter((t) => t !== null).join(separator());

// The sign stands outside of the word, so that it is not struck through.
const error = (tag, sign, word) => make(tag, {}, sign, make("span", { class: "word" }, word));

function marked(part) {
  if (!isError(part)) return document.createTextNode(part);
  const [reference, hypothesis] = part;
  if (hypothesis === null) return error("del", "−", reference);
  if (reference === null) return error("ins", "+", hypothesis);
  return make("span", { class: "swap" }, error("del", "", reference), error("ins", "≠", hypothesis));
}

function coloured(edits) {
  const parts = edits.flatMap((part, index) => (index ? [separator(), marked(part)] : [marked(part)]));
  return parts.length ? parts : [make("i", {}, "nothing")];
}
