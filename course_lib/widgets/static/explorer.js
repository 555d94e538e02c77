// The frame around the canvas: prediction, controls, picture, one line of numbers, explanation, error.
// Everything is plain HTML with labels, so that keyboard and screen readers work without further ado.

let views = 0;  // of this model: it can stand in the page more than once
const LATE_MS = 1500;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const OURS = "data-lm-suppress-shortcuts";
const shown = (value) => (typeof value === "number" ? inWords(value).replace("-", "\u2212") : value);
const inWords = (number) => (Math.abs(number) < 1000 ? String(number) : number.toLocaleString("en-US"));

function render({ model, el }) {
  const design = model.get("design"), id = `${design.id}-${++views}`;
  const view = { model, design, id, cursor: -1, hits: null, places: [], handles: new Map(), waiting: false, newest: null, state: { ...design.start, ...model.get("state") } };
  listen(model, design.id);
  view.canvas = make("canvas", { className: "cw-canvas" });
  view.line = make("p", { className: "cw-line", role: "status" });
  view.verdict = make("strong", { className: "cw-verdict" });
  view.because = make("span", {});
  view.explanation = make("p", { className: "cw-explanation", role: "status" }, view.verdict, view.because);
  view.error = make("p", { className: "cw-error", role: "alert", hidden: true });
  view.setters = [];
  view.takers = {};
  const cells = design.prediction.kind === "marking";
  view.stage = make("div", { className: "cw-stage" }, view.canvas);
  view.late = make("p", { className: "cw-late", role: "status" });
  const picture = make("div", { className: "cw-picture" }, view.late, view.stage, ...(cells ? [cellStatus(view)] : []));
  view.picture = picture;
  const root = make("section", { className: "course-widget", "aria-label": design.title },
    make("p", { className: "cw-title" }, design.title), prediction(view), controls(view), picture, view.line, view.explanation, view.error);
  if (!cells) {
    view.canvas.setAttribute("role", "img");
    view.canvas.addEventListener("click", (event) => showEntry(view, event));
  }
  else makeClickable(view);
  // JupyterLab takes arrow keys for itself ("next heading"), unless the very element that has the focus says no.
  root.querySelectorAll("input, select, button, summary, canvas").forEach((e) => e.setAttribute(OURS, "true"));
  el.append(root);

  const onPicture = () => { settle(view); arrived(view); draw(view); };
  const onError = () => showError(view);
  const onAnswer = () => showLock(view);
  const onState = () => { if (!view.waiting) { view.state = { ...view.state, ...model.get("state") }; follow(view); } };
  model.on("change:picture", onPicture);
  model.on("change:error", onError);
  model.on("change:answer", onAnswer);
  model.on("change:state", onState);
  const redraw = () => draw(view);
  const theme = new MutationObserver(redraw);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const screen = matchMedia("(prefers-color-scheme: dark)");
  screen.addEventListener("change", redraw);
  const size = new ResizeObserver(() => { if (picture.clientWidth !== view.width) redraw(); });
  // While a theme changes, the page is laid out without a style for a moment: what was drawn then is found by its own size.
  [picture, view.stage].forEach((e) => size.observe(e));
  draw(view);
  showError(view);
  showLock(view);
  return () => {
    clearTimeout(view.timer);
    theme.disconnect();
    size.disconnect();
    screen.removeEventListener("change", redraw);
    model.off("change:picture", onPicture);
    model.off("change:error", onError);
    model.off("change:answer", onAnswer);
    model.off("change:state", onState);
  };
}

// Controls and handles show the state, whichever of them changed it.
function follow(view) {
  view.setters.forEach((set) => set());
  if (view.places.length) placeHandles(view);
}

// At most one state is on its way; of those that come up meanwhile only the newest is sent. So a drag never queues.
function move(view, change) {
  // The turn makes every state differ from the last: an equal one would bring no answer, and we would wait for ever.
  view.state = { ...view.state, ...change, turn: performance.now() };
  if (view.waiting) { view.newest = view.state; return; }
  view.waiting = true;
  view.model.set("state", view.state);
  send(view);
}

// A kernel that runs another cell answers afterward: whoever waits for long is told so.
function send(view) {
  clearTimeout(view.timer);
  view.timer = setTimeout(() => { view.late.textContent = noAnswer("the picture"); }, LATE_MS);
  view.model.save_changes();
}

// Where one control sets another (a tie between two of them), the picture says so; a newer state has precedence.
function settle(view) {
  const settled = view.model.get("picture").settled || {};
  if (view.newest !== null || !Object.keys(settled).length) return;
  view.state = { ...view.state, ...settled };
  follow(view);
}

function arrived(view) {
  clearTimeout(view.timer);
  view.late.textContent = "";
  view.waiting = false;
  if (view.newest === null) return;
  const state = view.newest;
  view.newest = null;
  move(view, state);
}

function draw(view) {
  const spec = view.model.get("picture"), pixels = view.model.get("pixels");
  if (!spec.panels || !pixels) return;
  view.width = view.picture.clientWidth;
  remember(view, spec);
  view.places = drawScene(view.canvas, spec, pixels, view.cursor, view.width, view.state.seen);
  view.hits = view.places.find((place) => place.cells)?.cells ?? null;
  view.entries = view.places.find((place) => place.entries)?.entries ?? null;
  if (view.entries) view.canvas.dataset.seen = [...(view.state.seen || [])].sort().join();
  view.canvas.classList.toggle("cw-table", Boolean(view.entries && view.model.get("answer").locked));
  renewHandles(view, spec, arraysOf(pixels));
  const alt = `${view.design.title}${view.design.title.endsWith("?") ? "" : "."} ${view.model.get("alt")}`;
  if (view.canvas.getAttribute("aria-label") !== alt) view.canvas.setAttribute("aria-label", alt);
  if (view.line.textContent !== spec.line) view.line.textContent = spec.line;
  const verdict = { right: "\u2713 Right. ", wrong: "\u2717 Not quite. " }[spec.verdict] || "";
  if (view.verdict.textContent !== verdict) view.verdict.textContent = verdict;
  if (view.because.textContent !== spec.explanation) view.because.textContent = spec.explanation;
  view.explanation.dataset.verdict = spec.verdict || "";
  view.explanation.hidden = !spec.explanation;
  view.canvas.dataset.frame = spec.frame;
}

// Which entries of a table the picture has been about; the state keeps it, so that it is there when the page is opened again.
function remember(view, spec) {
  const seen = new Set(view.state.seen), table = spec.panels.find((panel) => panel.kind === "table");
  if (table?.entries.flat()[table.now]?.found) view.state = { ...view.state, seen: [...seen.add(table.now)] };
}

// A shortcut for the mouse: the controls beside the picture do the same.
function showEntry(view, event) {
  if (!view.entries || !view.model.get("answer").locked) return;
  const area = view.canvas.getBoundingClientRect();
  const entry = view.entries.all[view.entries.find(event.clientX - area.left, event.clientY - area.top)];
  if (!entry) return;
  move(view, Object.fromEntries(entry.settings));
  follow(view);
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
    const { marked, guess, ...start } = view.design.start;
    move(view, start);
    follow(view);
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
  input.addEventListener("input", () => { label(); move(view, { [control.name]: control.values[Number(input.value)] }); follow(view); });
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
  const wide = control.options.some(([, words]) => words.length > 26) ? " cw-wide" : "";
  return make("div", { className: `cw-control${wide}` }, make("label", { htmlFor: id }, control.label), input);
}

function seed(view, control, id) {
  const output = make("output", { className: "cw-value" });
  const button = make("button", { type: "button", className: "cw-button", id }, control.label);
  const set = () => { output.textContent = `seed ${view.state[control.name]}`; };
  // What was taken by guess belongs to what was drawn before.
  const emptied = Object.fromEntries(view.design.controls.filter((c) => c.kind === "picks").map((c) => [c.name, []]));
  button.addEventListener("click", () => {
    move(view, { [control.name]: (view.state[control.name] + 1) % control.count, ...emptied });
    follow(view);
  });
  view.setters.push(set);
  set();
  return make("div", { className: "cw-control" }, button, output);
}

function picks(view, control, id) {
  const output = make("output", { className: "cw-value" });
  const button = make("button", { type: "button", className: "cw-button", id }, control.label);
  const taken = () => view.state[control.name];
  const set = () => {
    output.textContent = `${taken().length} of ${control.most}`;
    button.setAttribute("aria-disabled", String(taken().length >= control.most));
  };
  const take = () => {
    if (taken().length < control.most) move(view, { [control.name]: [...taken(), view.state[control.slider]] });
    follow(view);
  };
  button.addEventListener("click", take);
  view.takers[control.slider] = take;
  view.setters.push(set);
  set();
  return make("div", { className: "cw-control" }, button, output);
}

function votes(view, control, id) {
  const output = make("output", { className: "cw-value" });
  const label = make("span", { id: `${id}-label` }, control.label);
  const cast = () => view.state[control.name], now = () => control.about.map((name) => view.state[name]);
  const buttons = control.options.map(([key, words], i) => {
    const button = make("button", { type: "button", className: "cw-button", id: `${id}-${i}` }, words);
    button.addEventListener("click", () => {
      if (cast().length < control.most) move(view, { [control.name]: [...cast(), [...now(), key]] });
      follow(view);
    });
    return button;
  });
  const set = () => {
    output.textContent = `${cast().length} judged`;
    buttons.forEach((button) => button.setAttribute("aria-disabled", String(cast().length >= control.most)));
  };
  view.setters.push(set);
  set();
  const group = make("div", { className: "cw-votes", role: "group", "aria-labelledby": label.id }, ...buttons);
  return make("div", { className: "cw-control" }, label, group, output);
}

const CONTROLS = { slider, choice, picks, seed, votes };

export default { render };
