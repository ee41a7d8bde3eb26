// Edits: text that is right, and [reference, hypothesis] for each error.
const isError = (part) => Array.isArray(part);

function counts(edits) {
  const errors = edits.filter(isError);
  const deleted = errors.filter(([, heard]) => heard === null).length;
  const inserted = errors.filter(([said]) => said === null).length;
  return { all: errors.length, swapped: errors.length - deleted - inserted, deleted, inserted };
}

const glue = () => (DATA.sets.find((set) => set.name === state.set).metric === "wer" ? " " : "");
const side = (edits, index) =>
  edits.map((part) => (isError(part) ? part[index] : part)).filter((t) => t !== null).join(glue());

// The sign is not struck through, so it stands outside of the word.
const error = (tag, sign, word) => make(tag, {}, sign, make("span", { class: "word" }, word));

function marked(part) {
  if (!isError(part)) return document.createTextNode(part);
  const [said, heard] = part;
  if (heard === null) return error("del", "−", said);
  if (said === null) return error("ins", "+", heard);
  return make("span", { class: "swap" }, error("del", "", said), error("ins", "≠", heard));
}

function coloured(edits) {
  const parts = edits.flatMap((part, index) => (index ? [glue(), marked(part)] : [marked(part)]));
  return parts.length ? parts : [make("i", {}, "nothing")];
}

const editsOf = (utterance) => utterance.edits[state.reading];

function errorsOf(utterance) {
  const edits = editsOf(utterance);
  const judged = state.judge ? [edits[state.judge] ?? []] : Object.values(edits);
  return judged.reduce((sum, edit) => sum + counts(edit).all, 0);
}

function matches(utterance) {
  const wanted = state.filter.toLocaleLowerCase();
  const edits = Object.values(utterance.edits.raw);
  const texts = [utterance.name, side(edits[0], 0), ...edits.map((edit) => side(edit, 1))];
  return texts.some((text) => text.toLocaleLowerCase().includes(wanted));
}

const audioOf = (utterance) => DATA.clips[state.set]?.[utterance.name];

function listed() {
  return (mode().utterances[state.set] ?? [])
    .filter(matches)
    .map((utterance) => [utterance, errorsOf(utterance)])
    .toSorted(([, a], [, b]) => b - a);
}

function item(utterance, errors) {
  const chosen = utterance.name === state.utterance;
  const choose = () => {
    state.utterance = utterance.name;
    showUtterances();
    find("#utterances [aria-current]").focus();
  };
  return make("li", {}, make(
    "button",
    { type: "button", click: choose, "aria-current": chosen ? "true" : null },
    make("span", { class: "count", title: "errors" }, String(errors)),
    make("span", { class: "said", dir: "auto" }, side(Object.values(utterance.edits.raw)[0], 0)),
    make("span", { title: audioOf(utterance) ? "can be heard" : "no audio on this page" }, audioOf(utterance) ? "♪" : ""),
  ));
}

// Up and down go through the list, as in any list box.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...find("#utterances ol").querySelectorAll("button")];
  const here = buttons.indexOf(document.activeElement);
  buttons[here + step]?.click();
}

// Systems that heard the same stand together, those with the fewest errors first.
function alike(edits) {
  const systems = DATA.systems.filter(({ name }) => name in edits);
  const groups = Map.groupBy(systems, ({ name }) => JSON.stringify(edits[name]));
  return [...groups]
    .map(([heard, group]) => [JSON.parse(heard), group])
    .toSorted(([a], [b]) => counts(a).all - counts(b).all);
}

function article(utterance) {
  const edits = editsOf(utterance);
  const source = audioOf(utterance);
  const audio = source
    ? make("audio", { controls: "", preload: "auto", src: source })
    : make("p", { class: "note" }, "No audio on this page: what could be put on it went to worse utterances, or there is no file, or it is longer than 30 s.");
  const rows = alike(edits).map(([heard, systems]) => {
    const { all, swapped, deleted, inserted } = counts(heard);
    const details = all ? `${all}: ${swapped} ≠, ${deleted} −, ${inserted} +` : "no error";
    return make("div", {},
      make("dt", {}, ...systems.map(nameOf), make("small", {}, details)),
      make("dd", { dir: "auto", lang: utterance.language }, ...coloured(heard)));
  });
  return [
    make("h3", {}, utterance.name),
    make("p", { class: "reference", dir: "auto", lang: utterance.language }, side(Object.values(edits)[0], 0)),
    audio,
    make("dl", {}, ...rows),
  ];
}

function told(utterances) {
  const shown = mode().utterances[state.set];
  if (!shown) {
    return "No texts on this page: the references or the hypotheses of this set were not found.";
  }
  const total = DATA.sets.find((set) => set.name === state.set).utterances;
  const heard = shown.filter(audioOf).length;
  return `${utterances.length} shown of the ${shown.length} on this page, which are the worst ` +
    `of ${total} over all systems; ${heard} of them can be heard (♪). The number in front ` +
    `counts the errors of ${state.judge || "all systems together"}.`;
}

function showUtterances() {
  const utterances = listed();
  if (!utterances.some(([utterance]) => utterance.name === state.utterance)) {
    state.utterance = utterances[0]?.[0].name ?? null;
  }
  const chosen = utterances.find(([utterance]) => utterance.name === state.utterance);
  const list = find("#utterances ol");
  const top = list.scrollTop;
  list.replaceChildren(...utterances.map(([utterance, errors]) => item(utterance, errors)));
  list.scrollTop = top;
  find("#utterances article").replaceChildren(...(chosen ? article(chosen[0]) : []));
  find("#utterances .note").textContent = told(utterances);
}

function makeBrowser() {
  state.set = DATA.sets[0].name;
  const change = (name) => (value) => {
    state[name] = value;
    showUtterances();
  };
  const search = make("input", { type: "search", placeholder: "text or id", input: () => change("filter")(search.value) });
  const judges = [["", "all systems"], ...DATA.systems.map(({ name }) => [name, name])];
  find("#utterances .bar").append(
    selection("Set", DATA.sets.map(({ name }) => [name, name]), state.set, change("set")),
    selection("Worst for", judges, "", change("judge")),
    make("label", {}, "Filter", search),
  );
  find("#utterances .bar").addEventListener("submit", (event) => event.preventDefault());
  find("#utterances ol").addEventListener("keydown", walk);
}
