// More is better for translations: a higher score has the colour of a lower error rate.
function translationTable(metric, rows) {
  const { columns, averages, tests } = mode().translations;
  const classOf = (column) => (averages.includes(column) ? "mean" : "");
  const best = columns.map((_, index) =>
    Math.max(...Object.values(rows).map((row) => row[index] ?? -Infinity)).toFixed(1));
  const head = columns.map((column) =>
    make("th", { scope: "col", class: classOf(column) },
      classOf(column) ? make("small", {}, "mean") : null, column));
  const body = DATA.systems.map((system) => {
    const cells = columns.map((column, index) => {
      const [ours, base] = [rows[system.name][index], rows[DATA.base][index]];
      const known = system.name !== DATA.base && ours !== null && base !== null;
      const test = metric === "BLEU" ? tests[system.name]?.[column] ?? null : null;
      return numberCell(ours, known ? ours - base : null, {
        classes: [classOf(column)], best: best[index], moreIsBetter: true, test,
      });
    });
    return make("tr", {},
      make("th", { scope: "row" }, nameOf(system)),
      kindCell(system),
      ...cells);
  });
  return make("table", {},
    make("thead", {}, make("tr", {},
      make("th", { class: "text", scope: "col" }, "system"),
      make("th", { class: "text", scope: "col" }, "kind"), ...head)),
    make("tbody", {}, ...body));
}

function showTranslations() {
  const { columns, scores, signatures } = mode().translations;
  find("#translations").hidden = columns.length === 0;
  if (columns.length === 0) return;
  const shown = Object.entries(scores).flatMap(([metric, rows]) => [
    make("p", { class: "caption" },
      `${metric} of raw text, more is better; ${mode().name}: ${mode().how}. sacreBLEU ${signatures[metric]}.`),
    make("div", { class: "scroll", role: "region", "aria-label": metric, tabindex: "0" },
      translationTable(metric, rows)),
  ]);
  find("#translations div").replaceChildren(...shown);
}
