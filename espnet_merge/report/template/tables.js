// Differences of at least this many points have the full colour.
const FULL_COLOUR = 20;

function difference(system, index) {
  const [ours, base] = [rates()[system][index], rates()[DATA.base][index]];
  return ours === null || base === null ? null : ours - base;
}

// Only the metric that ranks systems is tested: the main metric of normalised text.
function testOf(system, column) {
  const main = Object.keys(mode().rates)[0];
  const shown = state.metric === main && state.reading === "normalized";
  return shown ? mode().tests[system]?.[column] ?? null : null;
}

const dagger = (test) => (test && test.p < DATA.alpha ? "†" : "");
const probability = (p) => (p < 0.001 ? "p < 0.001" : `p ${p.toFixed(3)}`);

function shade(value) {
  if (value === null) return {};
  const share = Math.min(Math.abs(value) / FULL_COLOUR, 1).toFixed(3);
  return { style: `--hue: var(--${value < 0 ? "better" : "worse"}); --share: ${share}` };
}

function sorted(systems) {
  const { column, down } = state.sort;
  const index = mode().columns.indexOf(column);
  const key = (system) =>
    column === "kind" ? DATA.systems.indexOf(system)
    : column === "system" ? system.name
    : rates()[system.name][index] ?? null;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  return systems.toSorted((left, right) => {
    const [a, b] = [key(left), key(right)];
    // Systems without a number come last in both orders.
    if (a === null || b === null) return (a === null) - (b === null);
    return down ? compare(b, a) : compare(a, b);
  });
}

function sortBy(column) {
  state.sort = { column, down: state.sort.column === column && !state.sort.down };
  show();
  // The heading was replaced; the focus goes back to it for sorting by keyboard.
  find(`#rates button[data-column="${CSS.escape(column)}"]`).focus();
}

function heading(column, classes) {
  const { column: by, down } = state.sort;
  const order = column === by ? (down ? "descending" : "ascending") : null;
  const arrow = { ascending: "▲", descending: "▼" }[order] ?? "";
  const button = make(
    "button",
    { type: "button", "data-column": column, click: () => sortBy(column) },
    column,
    make("span", { "aria-hidden": "true" }, arrow),
  );
  const mean = DATA.averages.includes(column) ? make("small", {}, "mean") : null;
  return make("th", { scope: "col", class: classes, "aria-sort": order }, mean, button);
}

const columnClass = (column) => (DATA.averages.includes(column) ? "mean" : "");

// A number, and under it, in small print, its difference from the base.
function numberCell(value, change, { classes, best, test, moreIsBetter = false }) {
  if (value === null) return make("td", { class: classes.join(" ") }, NONE);
  const worsened = change !== null && moreIsBetter ? -change : change;
  const shown = [...classes];
  if (change !== null) shown.push("shade");
  // Compared as printed: systems that look equal share the first place.
  if (value.toFixed(1) === best) shown.push("best");
  return make(
    "td",
    { class: shown.join(" "), ...shade(worsened) },
    make("span", { class: "rate" }, value.toFixed(1)),
    make("small", {}, change === null ? " " : signed(change) + dagger(test)),
  );
}

// The kind of a system, and under it its padding if systems differ in it.
const kindCell = ({ name, kind }) =>
  make("td", { class: "text" }, kind, make("small", {}, mode().silences[name] ?? ""));

function showRates() {
  const { columns } = mode();
  for (const id of ["#rates", "#retention"]) find(id).hidden = !columns.length;
  const best = columns.map((_, index) => {
    const known = Object.values(rates()).map((row) => row[index]).filter((v) => v !== null);
    return Math.min(...known).toFixed(1);
  });
  const head = make(
    "tr",
    {},
    heading("system", "text"),
    heading("kind", "text"),
    ...columns.map((column) => heading(column, columnClass(column))),
  );
  const rows = sorted(DATA.systems).map((system) => {
    const cells = rates()[system.name].map((value, index) => {
      const change = system.name === DATA.base ? null : difference(system.name, index);
      return numberCell(value, change, {
        classes: [columnClass(columns[index])],
        best: best[index],
        test: testOf(system.name, columns[index]),
      });
    });
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, nameOf(system)),
      kindCell(system),
      ...cells,
    );
  });
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  find("#rates .scroll").replaceChildren(table);
  find("#rates .caption").textContent = caption();
}

function caption() {
  const text = state.reading === "raw" ? "raw text" : `normalizer ${mode().normalizer}`;
  const missing = mode().missing.length
    ? ` Without a score, shown as ${NONE}: ${mode().missing.join(", ")}.`
    : "";
  return `${state.metric} (%), ${text}; ${mode().name}: ${mode().how}.${missing}`;
}

function evidence(test) {
  if (!test) return [];
  const interval = `[${signed(test.low)}, ${signed(test.high)}]`;
  return [make("small", {}, interval), make("small", {}, probability(test.p))];
}

function verdict(system) {
  const fallen = mode().fallen[system];
  const shown = !fallen ? NONE
    : fallen.length ? make("span", { class: "key worse" }, `fallen: ${fallen.join(", ")}`)
    : "passed";
  return make("td", { class: "text" }, shown);
}

function showRetention() {
  const { columns } = mode();
  const head = columns.map((column) =>
    make("th", { scope: "col", class: columnClass(column) },
      columnClass(column) ? make("small", {}, "mean") : null, column));
  head.push(make("th", { scope: "col", class: "text" }, "gate"));
  const others = sorted(DATA.systems).filter((system) => system.name !== DATA.base);
  const rows = others.map((system) => {
    const cells = columns.map((column, index) => {
      const value = difference(system.name, index);
      const classes = `${columnClass(column)} ${value === null ? "" : "shade"}`;
      const test = testOf(system.name, column);
      const text = value === null ? NONE : signed(value) + dagger(test);
      return make("td", { class: classes, ...shade(value) }, text, ...evidence(test));
    });
    return make("tr", {}, make("th", { scope: "row" }, nameOf(system)), ...cells, verdict(system.name));
  });
  const table = make(
    "table",
    { class: "heat" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "system"), ...head)),
    make("tbody", {}, ...rows),
  );
  find("#retention .scroll").replaceChildren(table);
  find("#retention .caption").textContent =
    `Points of ${state.metric} added to those of ${DATA.base}: violet and − is better, ` +
    `orange and + is worse. Fully coloured from ${FULL_COLOUR} points on.`;
  const [first] = Object.keys(mode().rates);
  find("#retention .legend").textContent =
    `${DATA.howTested} Tested is the ${first} of normalised text. Gate: fallen where a set ` +
    `is significantly worse than ${DATA.base}, p < ${DATA.alpha} on one side, with Holm's correction.`;
}

function plain(head, rows) {
  const cell = (tag) => (content, index) =>
    make(tag, { class: typeof content === "number" ? "" : "text" }, content ?? NONE);
  return make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...head.map(cell("th")))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell("td"))))),
  );
}

function showSystems() {
  const systems = DATA.systems.map((system) => {
    const links = system.files.map((file) =>
      make("a", { href: file.split("/").map(encodeURIComponent).join("/") }, file.split("/").at(-1)));
    const merge = system.merge && make("details", {},
      make("summary", {}, "read it here"), make("pre", {}, system.merge));
    const made = make("span", {}, ...links, merge || null);
    const digest = system.sha256 ? make("code", {}, system.sha256) : NONE;
    return [nameOf(system), system.kind, links.length ? made : NONE, digest];
  });
  const sets = DATA.sets.map((set) => [
    set.name, set.languages.join(" "), set.utterances, set.words, set.characters,
  ]);
  const [first, second] = document.querySelectorAll("#systems .scroll");
  first.replaceChildren(plain(["system", "kind", "made by", "SHA-256 of the weights"], systems));
  second.replaceChildren(plain(["set", "language", "utterances", "words", "characters"], sets));
}
