function makeControls() {
  const change = (name) => (value) => {
    state[name] = name === "mode" ? Number(value) : value;
    show();
  };
  const modes = DATA.modes.map(({ name }, index) => [String(index), name]);
  const controls = [
    choice("Metric", "metric", Object.keys(mode().rates).map((name) => [name, name]), state.metric, change("metric")),
    choice("Text", "reading", [["normalized", "normalised"], ["raw", "raw"]], state.reading, change("reading")),
  ];
  if (modes.length > 1) {
    controls.unshift(choice("Decoding", "mode", modes, "0", change("mode")));
  }
  find("#controls").append(...controls);
}

function showInspection() {
  find("#inspect").hidden = !DATA.inspect;
  if (!DATA.inspect) return;
  const frame = make("iframe", { title: "What espnet-merge inspect measured", sandbox: "" });
  frame.srcdoc = DATA.inspect;
  find("#inspect").append(frame);
}

function showConflicts() {
  const figures = Object.entries(DATA.conflicts).map(([system, src]) =>
    make("figure", {}, make("figcaption", {}, system), make("img", { src, alt: `Conflict of the objectives of ${system}, by layer and time` })));
  find("#conflicts").hidden = figures.length === 0;
  find("#conflicts div").append(...figures);
}

function showOrigin() {
  const facts = DATA.origin.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, make("code", {}, value))]);
  find("#origin dl").append(...facts);
}

// Of a run that goes on the page is written again and again.
const RENEWED = 60_000;

function showRunning() {
  if (!DATA.running) return;
  const lacking = mode().missing.length;
  find("#running").hidden = false;
  find("#running").textContent = `Running: ${lacking} scores are yet to come. This page reloads every minute.`;
  document.title = `… ${document.title}`;
  setTimeout(() => location.reload(), RENEWED);
}

function show() {
  find("#summary").textContent = mode().summary;
  showRates();
  showRetention();
  showTranslations();
  showCurves();
  showUtterances();
}

document.title = `Results of ${DATA.title}`;
find("h1").textContent = document.title;
for (const element of document.querySelectorAll(".base")) element.textContent = DATA.base;
showRunning();
makeControls();
makeBrowser();
showSystems();
showInspection();
showConflicts();
showOrigin();
show();
