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
    const area = canvas.getBoundingClientRect();
    const index = view.hits ? view.hits.find(event.clientX - area.left, event.clientY - area.top) : -1;
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

