// State of the page; every change is followed by one call of show().
const state = {
  mode: 0,
  metric: Object.keys(DATA.modes[0].rates)[0],
  reading: "normalized",
  sort: { column: "kind", down: false },
  set: null,
  utterance: null,
  judge: "",
  filter: "",
};

const mode = () => DATA.modes[state.mode];
const rates = () => mode().rates[state.metric][state.reading];

// "expert es" -> its colour
const colourOf = (kind) => `--colour: var(--${kind.split(" ")[0]})`;
const systemOf = (name) => DATA.systems.find((system) => system.name === name);

function nameOf(system) {
  return make("span", { class: "kind", style: colourOf(system.kind) }, system.name);
}
