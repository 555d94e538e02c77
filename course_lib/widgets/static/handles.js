// Handles: what can be dragged in the picture, or moved by the arrow keys.
// Each is an element over the canvas with the role of a slider. It has no value of its own: the state has.

const LARGE = 10;  // a tenth of the way with Shift

function valuesOf(view, name) {
  if (name === "guess") return view.design.prediction.values;
  return view.design.controls.find((control) => control.name === name).values;
}

const isForward = (view, name) => name === "guess" && view.design.prediction.forward;
const placeOf = (view, name) => Math.max(0, valuesOf(view, name).indexOf(view.state[name]));

// Sets a slider to one of its values; what only moves forward never goes back.
function stepTo(view, name, place, forward = false) {
  const now = placeOf(view, name), last = valuesOf(view, name).length - 1;
  const next = Math.min(last, Math.max(forward ? now : 0, place));
  if (next !== now) move(view, { [name]: valuesOf(view, name)[next] });
  follow(view);
  if (name === "guess") view.touch();
}

function renewHandles(view, spec, get) {
  const wanted = new Map(), locked = Boolean(view.model.get("answer").locked);
  spec.panels.forEach((panel, i) => (panel.handles || []).forEach((handle) => {
    if ((handle.control === "guess") !== locked) wanted.set(`${i} ${handle.control} ${handle.second}`, { handle, i });
  }));
  for (const [key, found] of view.handles) if (!wanted.has(key)) { found.element.remove(); view.handles.delete(key); }
  for (const [key, { handle, i }] of wanted) {
    if (!view.handles.has(key)) view.handles.set(key, newHandle(view, handle));
    Object.assign(view.handles.get(key), { i, handle, x: get(handle.x), y: get(handle.y) });
  }
  placeHandles(view);
}

function newHandle(view, { control, second, y }) {
  const element = make("div", { className: "cw-handle", role: "slider", tabIndex: 0 }, make("span", { className: "cw-grip" }));
  element.setAttribute(OURS, "true");
  element.dataset.kind = second ? "plane" : y.n ? "point" : "line";
  const found = { element };
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const area = element.getBoundingClientRect();
    found.grabbed = [event.clientX - area.left - area.width / 2, event.clientY - area.top - area.height / 2];
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("pointermove", (event) => { if (found.grabbed) dragTo(view, found, event); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(end, () => { found.grabbed = null; });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && view.takers[control]) view.takers[control]();
    else if (!press(view, found, event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  view.stage.append(element);
  return found;
}

// Where a handle stands for a place, in CSS pixels of the picture; kept within its plot.
function spot(view, found, place, then) {
  const { plot, toX, toY } = view.places[found.i], { handle } = found;
  const x = Math.min(plot.x + plot.w, Math.max(plot.x, toX(found.x[place])));
  if (!found.y.length) return [x, plot.y + plot.h / 2];
  return [x, Math.min(plot.y + plot.h, Math.max(plot.y, toY(found.y[handle.second ? then : place])))];
}

function placeHandles(view) {
  for (const found of view.handles.values()) {
    const { element, handle } = found, now = placeOf(view, handle.control), last = found.x.length - 1;
    const then = handle.second ? placeOf(view, handle.second) : 0, { plot } = view.places[found.i];
    const [x, y] = spot(view, found, now, then);
    element.style.setProperty("--cw-grip", themeNow().palette[handle.colour]);
    element.style.left = `${x}px`;
    element.style.top = `${y}px`;
    element.style.height = found.y.length ? "" : `${plot.h}px`;
    const words = [handle.control, handle.second].filter(Boolean).map((name) => shown(view.state[name])).join(", ");
    const all = { "aria-label": handle.label, "aria-valuetext": words, "aria-valuemin": 0, "aria-valuemax": last,
      "aria-valuenow": rising(found.x) ? now : last - now, "aria-roledescription": handle.second ? "slider in two directions" : null };
    for (const [name, value] of Object.entries(all)) {
      if (value === null) element.removeAttribute(name);
      else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
    }
  }
}

const rising = (places) => places[places.length - 1] >= places[0];

function dragTo(view, found, event) {
  const { handle } = found, area = view.canvas.getBoundingClientRect();
  const at = [event.clientX - found.grabbed[0] - area.left, event.clientY - found.grabbed[1] - area.top];
  const nearest = (n, distance) => Array.from({ length: n }, (_, k) => k).reduce((a, b) => (distance(b) < distance(a) ? b : a));
  const now = placeOf(view, handle.control), then = handle.second ? placeOf(view, handle.second) : 0;
  const flat = handle.second || !found.y.length;
  const far = (place) => { const [x, y] = spot(view, found, place, then); return flat ? Math.abs(x - at[0]) : Math.hypot(x - at[0], y - at[1]); };
  const forward = isForward(view, handle.control), next = nearest(found.x.length, far);
  stepTo(view, handle.control, forward ? Math.min(next, now + 2) : next, forward);
  if (handle.second) stepTo(view, handle.second, nearest(found.y.length, (place) => Math.abs(spot(view, found, now, place)[1] - at[1])));
}

// Arrow keys move it the way they point, Shift or Page by a tenth of the way, Home and End to the ends.
function press(view, found, event) {
  const { handle } = found, upright = event.key === "ArrowUp" || event.key === "ArrowDown" || event.key.startsWith("Page");
  const name = handle.second && upright ? handle.second : handle.control, places = name === handle.second ? found.y : found.x;
  const way = { ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1 }[event.key];
  const now = placeOf(view, name), last = places.length - 1, sign = rising(places) ? 1 : -1;
  const large = event.shiftKey || event.key.startsWith("Page") ? Math.max(2, Math.round(places.length / LARGE)) : 1;
  if (way) stepTo(view, name, now + way * sign * large, isForward(view, name));
  else if (event.key === "Home") stepTo(view, name, sign > 0 ? 0 : last, isForward(view, name));
  else if (event.key === "End") stepTo(view, name, sign > 0 ? last : 0, isForward(view, name));
  else return false;
  return true;
}

