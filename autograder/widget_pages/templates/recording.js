// Stands in for the kernel of a live widget: answers from what was recorded.  What it draws with is the live widget's
// own script, which stands before this one.

const SAID = "\u0001", LIST = -1, TEXT = -2, NUMBER = -3;
const key = (value) => JSON.stringify(value);

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer(), size = new DataView(buffer).getUint32(0, true);
  return { data: JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size))), arrays: new DataView(buffer, 4 + size) };
}

// Puts a tree together from the parts of which each is kept once (pool.py).
function tree(data, place, said) {
  const node = data.nodes[place];
  if (typeof node === "string") return node.replaceAll(SAID, shown(said));
  if (!Array.isArray(node)) return node;
  const [kind, ...parts] = node;
  if (kind === NUMBER) return said;
  const made = parts.map((part) => tree(data, part, said));
  if (kind === LIST) return made;
  if (kind === TEXT) return made.join("");
  return Object.fromEntries(data.keys[kind].map((name, i) => [name, made[i]]));
}

// Photographs, which a browser decodes in its own time: place -> their pixels, as red, green and blue.
async function photographs(data, arrays) {
  const kind = data.keys.findIndex((names) => key(names) === key(["type", "shape", "at", "n"])), found = new Map();
  const all = data.nodes.filter((node) => Array.isArray(node) && kind >= 0 && node[0] === kind);
  await Promise.all(all.map(async (node) => {
    const { at, n } = Object.fromEntries(data.keys[kind].map((name, i) => [name, tree(data, node[i + 1], null)]));
    const image = await createImageBitmap(new Blob([new Uint8Array(arrays.buffer, arrays.byteOffset + at, n)], { type: "image/webp" }));
    const paper = new OffscreenCanvas(image.width, image.height).getContext("2d");
    paper.drawImage(image, 0, 0);
    const { data: four } = paper.getImageData(0, 0, image.width, image.height), three = new Uint8Array((four.length / 4) * 3);
    for (let p = 0, q = 0; p < four.length; p += 4) { three[q++] = four[p]; three[q++] = four[p + 1]; three[q++] = four[p + 2]; }
    found.set(at, three);
  }));
  return found;
}

// The pixels of a montage, whole.
function pixelsOf(images, arrays, photos) {
  if (images.type === "webp") return photos.get(images.at);
  const [n, h, w, c] = images.shape, whole = new Uint8Array(n * h * w * c);
  images.parts.forEach((at, i) => whole.set(new Uint8Array(arrays.buffer, arrays.byteOffset + at, h * w * c), i * h * w * c));
  return whole;
}

// The model of a live widget, as the frame of the widgets knows it: get, set, save_changes, on, off.
function recorded({ data, arrays }, photos, say) {
  const { design, dials } = data, heard = {};
  const places = dials.map((dial) => new Map(dial.values.map((value, i) => [key(value), i])));
  const first = dials.map((dial) => dial.start);
  const values = { design, state: { ...design.start }, answer: {}, pixels: arrays, error: "", picture: {}, alt: "" };
  const spans = design.prediction.kind === "estimate";
  let now = first, latest = [], frame = 0;

  // Where each dial stands in a state; what draws anew begins again after its last.
  function placesOf(state) {
    return dials.map(({ name, values: known, start }, i) => {
      const found = places[i].get(key(state[name]));
      if (found !== undefined) return found;
      return typeof state[name] === "number" && state[name] > known[known.length - 1] ? 0 : start;
    });
  }

  // Of the dials that do not stand where they began as many are kept as were recorded together, the latest first.
  function kept(wanted) {
    const changed = wanted.map((_, i) => i).filter((i) => wanted[i] !== now[i]);
    latest = [...changed, ...latest.filter((i) => !changed.includes(i))];
    const moved = latest.filter((i) => wanted[i] !== first[i]);
    const worth = (group) => moved.reduce((sum, i, k) => sum + (group.dials.includes(i) ? 2 ** (moved.length - k) : 0), 0);
    const group = data.groups.reduce((best, one) => (worth(one) > worth(best) ? one : best));
    return { group, stands: wanted.map((place, i) => (group.dials.includes(i) ? place : first[i])), moved };
  }

  function answerPlace(value) {
    if (spans) return data.answers.findIndex((upto, i) => value <= upto || i === data.answers.length - 1);
    return data.answers.findIndex((answer) => key(answer) === key(value));
  }

  function openedPlace(state) {
    if (design.prediction.kind === "placing") return design.prediction.values.indexOf(state.guess);
    return design.prediction.kind === "spread" && state.marked.length ? 1 + answerPlace(state.marked) : 0;
  }

  function show() {
    const { state, answer } = values;
    let place = data.opened[openedPlace(state)], explanation = "", verdict = "", settled = {};
    if (answer.locked) {
      const wanted = placesOf(state), { group, stands, moved } = kept(wanted);
      const at = group.dials.reduce((sum, i) => sum * dials[i].values.length + stands[i], answerPlace(answer.value));
      const back = moved.filter((i) => stands[i] !== wanted[i]);
      settled = Object.fromEntries(dials.map((dial, i) => [dial.name, dial.values[stands[i]]]));
      now = stands;
      latest = latest.filter((i) => !back.includes(i));
      say(back.map((i) => dials[i].label));
      const [, picture, told] = data.nodes[group.frames[at]];
      place = picture;
      [explanation, verdict] = tree(data, told, answer.value);
      if (!answer.moved) explanation = `${explanation} ${design.prediction.then}`;
    }
    const picture = tree(data, place, answer.value ?? null);
    for (const { images } of picture.panels) if (images) images.pixels = pixelsOf(images, arrays, photos);
    settled = { ...settled, ...picture.settled };
    values.state = { ...state, ...settled };
    now = placesOf(values.state);
    values.picture = { ...picture, settled, explanation, verdict, frame: ++frame };
    values.alt = picture.line;
  }

  show();
  return {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      if (name === "state" && values.answer.locked) values.answer = { ...values.answer, moved: true };
    },
    save_changes() {
      show();
      (heard["change:picture"] || []).forEach((listener) => listener());
    },
    on(event, listener) { heard[event] = [...(heard[event] || []), listener]; },
    off(event, listener) { heard[event] = (heard[event] || []).filter((one) => one !== listener); },
  };
}

// Cells are marked by the axes along which they may differ from the starred one: of single cells there are too many.
QUESTIONS.spread = (view, box, question) => {
  const { spreads } = view.design.prediction, names = ["all examples (N)", "all channels (C)", "all rows (H)", "all columns (W)"];
  box.append(make("p", { className: "cw-question" }, question), make("p", { className: "cw-help" }, "Begin with the starred cell, and include:"));
  const inputs = names.map((words, axis) => {
    const input = make("input", { type: "checkbox", id: `${view.id}-answer-${axis}` });
    input.addEventListener("change", () => { move(view, { marked: value() ?? [] }); view.answered(); });
    box.append(make("div", { className: "cw-option" }, input, make("label", { htmlFor: input.id }, words)));
    return input;
  });
  const value = () => {
    const bits = inputs.reduce((sum, input, axis) => sum + (input.checked ? 2 ** axis : 0), 0);
    return bits ? spreads[bits] : null;
  };
  view.showAnswer = () => {};
  view.inputs = inputs;
  view.inWords = (answer) => (answer.length === 1 ? "1 cell" : `${answer.length} cells`);
  return value;
};

// The frame draws anew when this attribute of JupyterLab's changes.
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)"), set = () => { document.body.dataset.jpThemeLight = String(!dark.matches); };
  dark.addEventListener("change", set);
  set();
}

async function begin() {
  const place = document.getElementById("widget"), status = document.getElementById("together");
  followTheme();
  if (!("DecompressionStream" in window)) throw new Error("the browser is older than 2023");
  const found = await unpacked(document.getElementById("recording").textContent);
  found.data.dials.forEach((dial) => { dial.label = found.data.design.controls.find((control) => control.name === dial.name).label; });
  const say = (names) => {
    status.textContent = names.length ? `Not recorded together with this, so put back to where it began: ${names.join(", ")}.` : "";
  };
  const model = recorded(found, await photographs(found.data, found.arrays), say);
  document.getElementById("still").remove();
  render({ model, el: place });
  place.querySelector(".cw-explore").append(status);
}

begin().catch((problem) => {
  document.documentElement.className = "";
  document.getElementById("reason").textContent = `This page is a still picture here: ${problem.message}.`;
});
