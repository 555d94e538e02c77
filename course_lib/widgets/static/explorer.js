// The frame around the canvas: prediction, controls, picture, one line of numbers, explanation, error.
// Everything is plain HTML with labels, so that keyboard and screen readers work without further ado.

let instances = 0;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const shown = (value) => (typeof value === "number" ? String(value).replace("-", "\u2212") : value);

function render({ model, el }) {
  const design = model.get("design"), id = `course-widget-${++instances}`;
  const view = { model, design, id, cursor: -1, hits: null, waiting: false, newest: null, state: { ...design.start, ...model.get("state") } };
  view.canvas = make("canvas", { className: "cw-canvas" });
  view.line = make("p", { className: "cw-line", role: "status" });
  view.explanation = make("p", { className: "cw-explanation", role: "status" });
  view.error = make("p", { className: "cw-error", role: "alert", hidden: true });
  view.setters = [];
  const cells = design.prediction.kind === "marking";
  const picture = make("div", { className: "cw-picture" }, view.canvas, ...(cells ? [cellStatus(view)] : []));
  const root = make("section", { className: "course-widget", "aria-label": design.title },
    make("p", { className: "cw-title" }, design.title), prediction(view), controls(view), picture, view.line, view.explanation, view.error);
  if (!cells) view.canvas.setAttribute("role", "img");
  else makeClickable(view);
  // JupyterLab takes arrow keys for itself ("next heading"), unless the very element that has the focus says no.
  root.querySelectorAll("input, select, button, canvas").forEach((e) => e.setAttribute("data-lm-suppress-shortcuts", "true"));
  el.append(root);

  const onPicture = () => { arrived(view); draw(view); };
  const onError = () => showError(view);
  const onAnswer = () => showLock(view);
  const onState = () => { if (!view.waiting) { view.state = { ...view.state, ...model.get("state") }; view.setters.forEach((set) => set()); } };
  model.on("change:picture", onPicture);
  model.on("change:error", onError);
  model.on("change:answer", onAnswer);
  model.on("change:state", onState);
  const redraw = () => draw(view);
  const theme = new MutationObserver(redraw);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const screen = matchMedia("(prefers-color-scheme: dark)");
  screen.addEventListener("change", redraw);
  draw(view);
  showError(view);
  showLock(view);
  return () => {
    theme.disconnect();
    screen.removeEventListener("change", redraw);
    model.off("change:picture", onPicture);
    model.off("change:error", onError);
    model.off("change:answer", onAnswer);
    model.off("change:state", onState);
  };
}

// At most one state is on its way; of those that come up meanwhile only the newest is sent. So a drag never queues.
function move(view, change) {
  // The turn makes every state differ from the last: an equal one would bring no answer, and we would wait for ever.
  view.state = { ...view.state, ...change, turn: performance.now() };
  if (view.waiting) { view.newest = view.state; return; }
  view.waiting = true;
  view.model.set("state", view.state);
  view.model.save_changes();
}

function arrived(view) {
  view.waiting = false;
  if (view.newest === null) return;
  const state = view.newest;
  view.newest = null;
  move(view, state);
}

function draw(view) {
  const spec = view.model.get("picture"), pixels = view.model.get("pixels");
  if (!spec.panels || !pixels) return;
  view.canvas.style.width = `${spec.width}px`;
  view.canvas.style.aspectRatio = `${spec.width} / ${spec.height}`;
  view.hits = drawScene(view.canvas, spec, pixels, view.cursor);
  const alt = `${view.design.title}${view.design.title.endsWith("?") ? "" : "."} ${view.model.get("alt")}`;
  if (view.canvas.getAttribute("aria-label") !== alt) view.canvas.setAttribute("aria-label", alt);
  if (view.line.textContent !== spec.line) view.line.textContent = spec.line;
  if (view.explanation.textContent !== spec.explanation) view.explanation.textContent = spec.explanation;
  view.explanation.hidden = !spec.explanation;
  view.canvas.dataset.frame = spec.frame;
}

function showError(view) {
  const error = view.model.get("error");
  view.error.textContent = error ? `This picture could not be computed. ${error}` : "";
  view.error.hidden = !error;
}

function controls(view) {
  const box = make("div", { className: "cw-controls" });
  view.design.controls.forEach((control, i) => box.append(CONTROLS[control.kind](view, control, `${view.id}-${i}`)));
  const reset = make("button", { type: "button", className: "cw-button" }, "Reset");
  reset.addEventListener("click", () => {
    const { marked, ...start } = view.design.start;
    move(view, start);
    view.setters.forEach((set) => set());
  });
  box.append(reset);
  view.controls = make("fieldset", { className: "cw-explore" }, make("legend", {}, "Explore"), box);
  return view.controls;
}

function slider(view, control, id) {
  const place = () => Math.max(0, control.values.indexOf(view.state[control.name]));
  const input = make("input", { type: "range", id, min: "0", max: String(control.values.length - 1), step: "1" });
  const output = make("output", { className: "cw-value" });
  output.setAttribute("for", id);
  const label = () => {
    const value = shown(control.values[Number(input.value)]);
    output.textContent = value;
    input.setAttribute("aria-valuetext", value);
  };
  const set = () => { input.value = String(place()); label(); };
  input.addEventListener("input", () => { label(); move(view, { [control.name]: control.values[Number(input.value)] }); });
  view.setters.push(set);
  set();
  return make("div", { className: "cw-control" }, make("label", { htmlFor: id }, control.label), input, output);
}

function choice(view, control, id) {
  const input = make("select", { id }, ...control.options.map(([key, words]) => make("option", { value: key }, words)));
  const set = () => { input.value = view.state[control.name]; };
  input.addEventListener("change", () => move(view, { [control.name]: input.value }));
  view.setters.push(set);
  set();
  return make("div", { className: "cw-control" }, make("label", { htmlFor: id }, control.label), input);
}

function seed(view, control, id) {
  const output = make("output", { className: "cw-value" });
  const button = make("button", { type: "button", className: "cw-button", id }, control.label);
  const set = () => { output.textContent = `seed ${view.state[control.name]}`; };
  button.addEventListener("click", () => { move(view, { [control.name]: view.state[control.name] + 1 }); set(); });
  view.setters.push(set);
  set();
  return make("div", { className: "cw-control" }, button, output);
}

const CONTROLS = { slider, choice, seed };

function prediction(view) {
  const { kind, question } = view.design.prediction;
  const lock = make("button", { type: "button", className: "cw-button cw-lock" }, "Lock in");
  const box = make("fieldset", { className: "cw-predict" }, make("legend", {}, "Predict"));
  view.lock = lock;
  view.note = make("span", { className: "cw-note" });
  const value = QUESTIONS[kind](view, box, question);
  view.answered = () => {
    const found = value();
    lock.disabled = found === null || Boolean(view.model.get("answer").locked);
  };
  lock.addEventListener("click", () => {
    view.model.set("answer", { value: value(), locked: true });
    view.model.save_changes();
    showLock(view);
    const next = view.controls.querySelector("input, select, button");
    if (next) next.focus();
  });
  box.append(make("div", { className: "cw-lockrow" }, lock, view.note));
  return box;
}

function pick(view, box, question) {
  box.append(make("p", { className: "cw-question" }, question));
  const inputs = view.design.prediction.options.map(([key, words], i) => {
    const input = make("input", { type: "radio", name: `${view.id}-answer`, id: `${view.id}-answer-${i}`, value: key });
    input.addEventListener("change", () => view.answered());
    box.append(make("div", { className: "cw-option" }, input, make("label", { htmlFor: input.id }, words)));
    return input;
  });
  view.showAnswer = (answer) => inputs.forEach((input) => { input.checked = input.value === answer; });
  view.inputs = inputs;
  return () => inputs.find((input) => input.checked)?.value ?? null;
}

function estimate(view, box, question) {
  const { unit, low, high } = view.design.prediction, id = `${view.id}-answer`;
  const input = make("input", { type: "number", id, min: String(low), max: String(high), step: "any" });
  input.addEventListener("input", () => view.answered());
  box.append(make("div", { className: "cw-option" }, make("label", { htmlFor: id, className: "cw-question" }, question), input, make("span", {}, unit)));
  view.showAnswer = (answer) => { input.value = String(answer); };
  view.inputs = [input];
  return () => {
    const number = input.value.trim() === "" ? NaN : Number(input.value);
    return Number.isFinite(number) && number >= low && number <= high ? number : null;
  };
}

function marking(view, box, question) {
  box.append(make("p", { className: "cw-question" }, question),
    make("p", { className: "cw-help" }, "Click a cell to mark it, Shift+click marks its whole tile. With the keyboard: Tab to the picture, arrow keys, Space marks a cell, Enter its tile."));
  view.showAnswer = () => {};
  view.inputs = [];
  return () => (view.state.marked.length ? view.state.marked : null);
}

const QUESTIONS = { pick, estimate, marking };

function showLock(view) {
  const answer = view.model.get("answer"), locked = Boolean(answer.locked);
  view.inputs.forEach((input) => { input.disabled = locked; });
  view.controls.disabled = !locked;
  view.note.textContent = locked ? "Locked in." : "The controls open once you have said what you expect.";
  if (locked) view.showAnswer(answer.value);
  view.lock.hidden = locked;
  view.answered();
}

// A grid of cells, by mouse and by keyboard.
function cellStatus(view) {
  view.cellStatus = make("p", { className: "cw-cell", role: "status" });
  return view.cellStatus;
}

function makeClickable(view) {
  const { canvas } = view;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "grid of cells");
  canvas.addEventListener("pointerdown", (event) => {
    const spec = view.model.get("picture"), area = canvas.getBoundingClientRect(), scale = spec.width / area.width;
    const index = view.hits ? view.hits.find((event.clientX - area.left) * scale, (event.clientY - area.top) * scale) : -1;
    if (index >= 0) { view.cursor = index; act(view, event.shiftKey); }
  });
  canvas.addEventListener("keydown", (event) => {
    const jump = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (jump) go(view, jump);
    else if (event.key === " " || event.key === "Enter") act(view, event.key === "Enter");
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("focus", () => { if (view.cursor < 0) { view.cursor = 0; draw(view); } });
}

function coordinates(view, index) {
  const [, c, h, w] = view.hits.shape;
  return [Math.floor(index / (c * h * w)), Math.floor(index / (h * w)) % c, Math.floor(index / w) % h, index % w];
}

function go(view, [down, right]) {
  const [n, c, h, w] = view.hits.shape, [i, j, k, m] = coordinates(view, Math.max(0, view.cursor));
  const row = Math.min(n * h - 1, Math.max(0, i * h + k + down)), column = Math.min(c * w - 1, Math.max(0, j * w + m + right));
  view.cursor = ((Math.floor(row / h) * c + Math.floor(column / w)) * h + (row % h)) * w + (column % w);
  draw(view);
  say(view);
}

function say(view) {
  const [i, j, k, m] = coordinates(view, view.cursor);
  const locked = view.model.get("answer").locked, star = view.cursor === view.state.star;
  const sign = locked ? (star ? ", the star" : "") : view.state.marked.includes(view.cursor) ? ", marked" : "";
  view.cellStatus.textContent = `Cell: example ${i}, channel ${j}, row ${k}, column ${m}${sign}.`;
}

function act(view, tile) {
  const [, , h, w] = view.hits.shape, first = Math.floor(view.cursor / (h * w)) * h * w;
  if (view.model.get("answer").locked) move(view, { star: view.cursor });
  else {
    const all = tile ? Array.from({ length: h * w }, (_, k) => first + k) : [view.cursor];
    const marked = new Set(view.state.marked), on = !marked.has(view.cursor);
    all.forEach((index) => (on ? marked.add(index) : marked.delete(index)));
    move(view, { marked: [...marked].sort((a, b) => a - b) });
    view.answered();
  }
  draw(view);
  say(view);
}

export default { render };
