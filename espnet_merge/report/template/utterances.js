const separator = () => (DATA.sets.find((set) => set.name === state.set).metric === "wer" ? " " : "");

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
    make("span", { class: "transcript", dir: "auto" }, side(Object.values(utterance.edits.raw)[0], 0)),
    make("span", { title: audioOf(utterance) ? "can be heard" : "no audio on this page" }, audioOf(utterance) ? "♪" : ""),
  ));
}

// The arrow keys move through the list, as in a list box.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...find("#utterances ol").querySelectorAll("button")];
  const here = buttons.indexOf(document.activeElement);
  buttons[here + step]?.click();
}

// Systems with the same hypothesis are one group; groups with few errors come first.
function alike(edits) {
  const systems = DATA.systems.filter(({ name }) => name in edits);
  const groups = Map.groupBy(systems, ({ name }) => JSON.stringify(edits[name]));
  return [...groups]
    .map(([key, group]) => [JSON.parse(key), group])
    .toSorted(([a], [b]) => counts(a).all - counts(b).all);
}

function article(utterance) {
  const edits = editsOf(utterance);
  const source = audioOf(utterance);
  const audio = source
    ? make("audio", { controls: "", preload: "auto", src: source })
    : make("p", { class: "note" }, "No audio on this page: the space went to worse utterances, or the file is missing or longer than 30 s.");
  const rows = alike(edits).map(([own, systems]) => {
    const { all, swapped, deleted, inserted } = counts(own);
    const details = all ? `${all}: ${swapped} ≠, ${deleted} −, ${inserted} +` : "no error";
    return make("div", {},
      make("dt", {}, ...systems.map(nameOf), make("small", {}, details)),
      make("dd", { dir: "auto", lang: utterance.language }, ...coloured(own)));
  });
  return [
    make("h3", {}, utterance.name),
    make("p", { class: "reference", dir: "auto", lang: utterance.language }, side(Object.values(edits)[0], 0)),
    audio,
    make("dl", {}, ...rows),
  ];
}

function statusText(utterances) {
  const shown = mode().utterances[state.set];
  if (!shown) {
    return "No texts on this page: the references or the hypotheses of this set were not found.";
  }
  const total = DATA.sets.find((set) => set.name === state.set).utterances;
  const withAudio = shown.filter(audioOf).length;
  return `${utterances.length} shown of the ${shown.length} on this page, which are the worst ` +
    `of ${total} over all systems; ${withAudio} of them can be heard (♪). The number in front ` +
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
  find("#utterances .note").textContent = statusText(utterances);
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
