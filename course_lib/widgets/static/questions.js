// The question asked first: its kinds, and what becomes of it once the answer is locked in.

function prediction(view) {
  const { kind, question } = view.design.prediction;
  const lock = make("button", { type: "button", className: "cw-button cw-lock" }, "Lock in");
  view.lock = lock;
  view.note = make("span", { className: "cw-note", "aria-live": "polite" });
  view.missing = () => "The controls appear once you have said what you expect.";
  view.said = make("span", { className: "cw-said" });
  view.ask = make("div", { className: "cw-ask" });
  view.lockrow = make("div", { className: "cw-lockrow" }, lock);
  // Once it is locked in, the question folds to one line.
  view.fold = make("details", { className: "cw-fold", hidden: true }, make("summary", {}));
  view.predict = make("fieldset", { className: "cw-predict" }, make("legend", {}, "Predict"), view.ask, view.fold);
  const value = QUESTIONS[kind](view, view.ask, question);
  view.ask.append(view.lockrow);
  view.answered = () => {
    const locked = Boolean(view.model.get("answer").locked), words = locked ? "Locked in." : view.missing();
    lock.disabled = locked || value() === null;
    if (view.note.textContent !== words) view.note.textContent = words;
  };
  lock.addEventListener("click", () => {
    view.model.set("answer", { value: value(), locked: true });
    send(view);
    showLock(view);
    const next = view.controls.querySelector("input, select, button");
    if (next) next.focus();
  });
  return view.predict;
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
  view.inWords = (answer) => view.design.prediction.options.find(([key]) => key === answer)?.[1] ?? "";
  return () => inputs.find((input) => input.checked)?.value ?? null;
}

function estimate(view, box, question) {
  const { unit, one, low, high } = view.design.prediction, id = `${view.id}-answer`;
  const input = make("input", { type: "number", id, min: String(low), max: String(high), step: "any" });
  input.addEventListener("input", () => view.answered());
  box.append(make("div", { className: "cw-option" }, make("label", { htmlFor: id, className: "cw-question" }, question), input, make("span", {}, unit)));
  view.showAnswer = (answer) => { input.value = String(answer); };
  view.inputs = [input];
  view.inWords = (answer) => `${shown(answer)} ${(answer === 1 && one) || unit}`;
  const value = () => {
    const number = input.value.trim() === "" ? NaN : Number(input.value);
    return Number.isFinite(number) && number >= low && number <= high ? number : null;
  };
  const nothingYet = view.missing;
  view.missing = () => {  // of what is no number at all the page gets no value
    const wrong = value() === null && (input.value !== "" || input.validity.badInput);
    input.setAttribute("aria-invalid", String(wrong));
    return wrong ? `A number from ${shown(low)} to ${shown(high)}.` : nothingYet();
  };
  return value;
}

function marking(view, box, question) {
  box.append(make("p", { className: "cw-question" }, question),
    make("p", { className: "cw-help" }, "Click a cell to mark it, Shift+click marks its whole tile. With the keyboard: Tab to the picture, arrow keys, Space marks a cell, Enter its tile."));
  view.showAnswer = () => {};
  view.inputs = [];
  view.inWords = (answer) => (answer.length === 1 ? "1 cell" : `${answer.length} cells`);
  return () => (view.state.marked.length ? view.state.marked : null);
}

// A handle in the picture is the answer; the slider below the question is the same thing for those who prefer one.
function placing(view, box, question) {
  const { values, label, forward, start } = view.design.prediction, id = `${view.id}-answer`;
  const input = make("input", { type: "range", id, min: "0", max: String(values.length - 1), step: "1" });
  const output = make("output", { className: "cw-value" });
  output.setAttribute("for", id);
  const set = () => {
    input.value = String(Math.max(0, values.indexOf(view.state.guess)));
    output.textContent = shown(view.state.guess);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  view.touch = () => view.answered();
  input.addEventListener("input", () => { stepTo(view, "guess", Number(input.value), forward); });
  view.setters.push(set);
  set();
  box.append(make("p", { className: "cw-question" }, question),
    make("div", { className: "cw-placing" }, make("label", { htmlFor: id }, label), input, output));
  view.showAnswer = (answer) => { view.state = { ...view.state, guess: answer }; set(); };
  view.inputs = [input];
  view.inWords = (answer) => `${label}: ${shown(answer)}`;
  return () => (view.state.guess === start ? null : view.state.guess);
}

const QUESTIONS = { pick, estimate, marking, placing };

function showLock(view) {
  const answer = view.model.get("answer"), locked = Boolean(answer.locked);
  view.inputs.forEach((input) => { input.disabled = locked; });
  view.controls.disabled = !locked;
  if (locked) view.showAnswer(answer.value);
  view.lock.hidden = locked;
  view.said.textContent = locked ? ` Your prediction: ${view.inWords(answer.value)}` : "";
  view.fold.hidden = !locked;
  view.predict.dataset.locked = String(locked);
  if (locked) {
    view.fold.querySelector("summary").append(view.note, view.said);
    view.fold.append(view.ask);
  } else {
    view.lockrow.append(view.note);
    view.predict.append(view.ask);
  }
  view.answered();
  draw(view);
}

