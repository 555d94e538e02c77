// A button for a file of the student's own. File and answer travel as messages: neither becomes part of the saved notebook.

const LATE_MS = 10000;  // a large network takes some seconds

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const design = model.get("design"), id = `${design.id}-${Math.random().toString(36).slice(2)}`;
  const input = element("input", { type: "file", id, accept: design.accept });
  input.setAttribute("aria-describedby", `${id}-note`);
  // JupyterLab takes keys for itself, unless the very element that has the focus says no.
  input.setAttribute("data-lm-suppress-shortcuts", "true");
  const status = element("p", { className: "cf-status", hidden: true }), error = element("p", { className: "cf-error", hidden: true });
  status.setAttribute("role", "status");
  error.setAttribute("role", "alert");
  const answer = element("div", { className: "cf-answer" });
  const note = element("p", { id: `${id}-note` }, design.note);
  let turn = 0, name = "", timer = 0;
  const say = (words, wrong = "") => {
    status.textContent = words;
    status.hidden = !words;
    error.textContent = wrong;
    error.hidden = !wrong;
  };
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    const mine = ++turn;
    clearTimeout(timer);
    name = file.name;
    answer.replaceChildren();
    if (file.size > design.most) {
      say("", `${name}: the file has ${(file.size / 1e6).toFixed(1)} MB, and at most ${(design.most / 1e6).toFixed(0)} MB are read: save a smaller copy.`);
      return;
    }
    say(`${name}: the notebook\u2019s kernel looks at it\u2026`);
    const bytes = await file.arrayBuffer();
    if (mine !== turn) return;
    timer = setTimeout(() => say(`${name}: ${noAnswer("the answer")}`), LATE_MS);
    try {
      model.send({ view: id, turn: mine }, undefined, [bytes]);
    } catch {
      say(`${name}: ${noAnswer("the answer")}`);  // there is no kernel any more
    }
  });
  const onMessage = (message) => {
    if (message.view !== id || message.turn !== turn) return;  // another view of it, or an earlier file
    clearTimeout(timer);
    say(message.error ? "" : `${name}: ${message.said}`, message.error ? `${name}: ${message.error}` : "");
    answer.innerHTML = message.html || "";
  };
  model.on("msg:custom", onMessage);
  listen(model, design.id);
  const box = element("section", { className: "course-file" },
    element("label", { htmlFor: id }, design.label), input, note, status, error, answer);
  el.append(box);
  return () => {
    clearTimeout(timer);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
