const state = { language: "auto", task: "transcribe", reference: "", sound: null };
let between = " ";
const separator = () => between;
let recorder = null;
let asked = 0; // of several questions the last counts

const say = (text) => { find('[role="status"]').textContent = text; };

function row({ name, edits, language, adapter, seconds, between: own }) {
  between = own;
  const route = adapter ? make("small", {}, `by ${adapter}`) : null;
  return make("tr", {},
    make("th", { scope: "row" }, name, route),
    make("td", { class: "said", dir: "auto", lang: language }, ...coloured(edits)),
    make("td", {}, language),
    make("td", {}, seconds.toFixed(1)));
}

// Each system's line is shown as soon as it comes.
async function* lines(response) {
  let rest = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const complete = (rest + part).split("\n");
    rest = complete.pop();
    for (const line of complete) yield JSON.parse(line);
  }
}

async function hear() {
  if (!state.sound) return;
  const number = ++asked;
  const body = find("#heard tbody");
  body.replaceChildren();
  find("#against").textContent = state.reference ? "what was said" : DATA.systems[0];
  const { language, task, reference } = state;
  say(`${DATA.systems[0]} listens …`);
  const response = await fetch(`/hear?${new URLSearchParams({ language, task, reference })}`, { method: "POST", body: state.sound });
  for await (const answer of lines(response)) {
    if (number !== asked) return;
    if (answer.error) return say(answer.error);
    body.append(row(answer));
    const next = DATA.systems[body.children.length];
    say(next ? `${next} listens …` : "All have listened.");
  }
}

function take(sound) {
  if (!sound) return;
  state.sound = sound;
  const player = find("audio");
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(sound);
  player.hidden = false;
  hear().catch((error) => say(`The server does not answer: ${error.message}`));
}

async function record() {
  const button = find("#record");
  if (recorder) return recorder.stop();
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    return say(`No microphone: ${error.message}. Drop a file instead.`);
  }
  const parts = [];
  recorder = new MediaRecorder(stream);
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  recorder.addEventListener("stop", () => {
    for (const track of stream.getTracks()) track.stop();
    const sound = new Blob(parts, { type: recorder.mimeType });
    recorder = null;
    button.textContent = "Record";
    button.setAttribute("aria-pressed", "false");
    take(sound);
  });
  recorder.start();
  button.textContent = "Stop";
  button.setAttribute("aria-pressed", "true");
  say("Recording …");
}

function makeForm() {
  const change = (name) => (value) => {
    state[name] = value;
    hear();
  };
  const languages = [["auto", "as heard"], ...Object.entries(DATA.languages)];
  const said = make("input", {
    id: "reference",
    placeholder: "to compare with",
    input: () => { state.reference = said.value.trim(); },
    change: hear,
  });
  const form = find("form");
  form.append(
    selection("Language", languages, state.language, change("language")),
    choice("Task", "task", [["transcribe", "transcribe"], ["translate", "translate"]], state.task, change("task")),
    make("label", {}, "What was said", said),
  );
  form.addEventListener("submit", (event) => event.preventDefault());
}

function makeDropZone() {
  const zone = find("#sound");
  const over = (is) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", is);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer.files[0]);
  });
}

makeForm();
makeDropZone();
find("#record").addEventListener("click", record);
find("#file").addEventListener("change", ({ target }) => take(target.files[0]));
