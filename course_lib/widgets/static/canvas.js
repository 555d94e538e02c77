// Draws a scene (course_lib/widgets/scene.py) on a canvas: where the panels go, axes, words. The panel kinds are in panels.js.

const LIGHT = { palette: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"],
  text: "#1f1f1f", faint: "#6b6b6b", pale: "#a6a6a6", grid: "#d9d9d9", paper: "#ffffff", empty: "#e2e2e2" };
const DARK = { palette: ["#56B4E9", "#FF9248", "#35C9A0", "#E6A3C9", "#F2CC58", "#9DB8FF", "#FFFFFF"],
  text: "#ececec", faint: "#b0b0b0", pale: "#7a7a7a", grid: "#4a4a4a", paper: "#111111", empty: "#3a3a3a" };
const DASHES = { line: [], dashed: [7, 4], dots: [] };
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

const TITLE = "600 12px";
const CELL_GAP = 0.6;  // between the images of a panel of cells, in cells

function themeNow() {
  const light = document.body.dataset.jpThemeLight;
  const dark = light === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : light === "false";
  return dark ? DARK : LIGHT;
}

// The arrays of a scene lie in one buffer; its offset within the message need not be aligned, hence the copy.
// A recording brings the pixels of its images with them.
function arraysOf(view) {
  const aligned = view.byteOffset % 4 === 0, from = aligned ? view.byteOffset : 0;
  const bytes = aligned ? view.buffer : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return (place) => place.pixels ? place.pixels
    : place.type === "u1" ? new Uint8Array(bytes, from + place.at, place.n) : new Float32Array(bytes, from + place.at, place.n);
}

// Narrower than this a panel cannot be read: then the panels stand in several rows.
const NARROWEST = { histogram: 160, montage: 150, bars: 140, lines: 240, plane: 230, cells: 250, table: 250 };

// So high is a row of panels that stand one above the other.
const STACKED = { histogram: 140, montage: 250, bars: 180, lines: 260, plane: 270, cells: 250, table: 330 };

// Fewer small images in a row where the words below them would not fit.
function columnsOf(panel, width) {
  return panel.captions.length ? Math.min(panel.columns, Math.max(3, Math.floor(width / 44))) : panel.columns;
}

function stackedHeight(panel, width, most) {
  if (panel.kind !== "montage" || !panel.captions.length) return Math.min(most, STACKED[panel.kind]);
  const [n, h, w] = panel.images.shape, columns = columnsOf(panel, width - 16);
  return Math.max(STACKED.montage, Math.ceil(30 + Math.ceil(n / columns) * (18 + ((width - 16) / columns) * (h / w))));
}

// Where each panel goes, in CSS pixels, in a picture of the available width.
function arranged(spec, available) {
  const width = Math.max(240, Math.min(spec.width, Math.floor(available || spec.width)));
  const total = spec.weights.reduce((a, b) => a + b, 0), fits = (i) => (width * spec.weights[i]) / total >= NARROWEST[spec.panels[i].kind];
  const [only, ...others] = spec.panels;
  if (!others.length && only.kind === "montage") {
    const [n, h, w] = only.images.shape, rows = Math.ceil(n / only.columns);
    const height = Math.min(spec.height, Math.ceil(30 + rows * (13 + ((width - 16) / only.columns) * (h / w))));
    return { width, height, areas: [{ x: 0, y: 0, w: width, h: height }] };
  }
  if (!others.length && only.kind === "cells") {
    const [n, c, h, w] = only.shape, size = (width - 50) / (c * (w + CELL_GAP));
    const height = Math.min(spec.height, Math.ceil(60 + n * (h + CELL_GAP) * size));
    return { width, height, areas: [{ x: 0, y: 0, w: width, h: height }] };
  }
  if (spec.panels.every((panel, i) => fits(i))) {
    let left = 0;
    const areas = spec.weights.map((weight) => {
      const area = { x: left, y: 0, w: (width * weight) / total, h: spec.height };
      left += area.w;
      return area;
    });
    return { width, height: spec.height, areas };
  }
  const least = Math.max(...spec.panels.map((panel) => NARROWEST[panel.kind])), columns = Math.max(1, Math.floor(width / least));
  const areas = [];
  let y = 0;
  for (let first = 0; first < spec.panels.length; first += columns) {
    const row = spec.panels.slice(first, first + columns), w = width / row.length, h = Math.max(...row.map((panel) => stackedHeight(panel, w, spec.height)));
    row.forEach((panel, k) => areas.push({ x: k * w, y, w, h }));
    y += h;
  }
  return { width, height: y, areas };
}

// Returns for each panel where its plot lies and how data become pixels, as far as it has those.
function drawScene(canvas, spec, view, cursor = -1, available = 0, seen = []) {
  const ratio = window.devicePixelRatio || 1, place = arranged(spec, available);
  const [width, height] = [Math.round(place.width * ratio), Math.round(place.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  canvas.style.width = `${place.width}px`;
  canvas.style.height = `${place.height}px`;
  const ctx = canvas.getContext("2d"), theme = themeNow(), get = arraysOf(view);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, place.width, place.height);
  return spec.panels.map((panel, i) => {
    const { x, y, w, h } = place.areas[i];
    const rows = titleRows(ctx, panel.title, w - 8), more = 13 * (rows.length - 1);
    rows.forEach((row, k) => text(ctx, row, x + w / 2, y + 13 + 13 * k, theme.text, "center", TITLE, w - 8));
    return PANELS[panel.kind](ctx, { x: x + 8, y: y + 22 + more, w: w - 16, h: h - 26 - more }, panel, theme, get, cursor, seen) || {};
  });
}

// A title that is too long for its panel stands in several lines, its parts first.
function titleRows(ctx, title, most) {
  ctx.font = `${TITLE} ${FONT}`;
  return ctx.measureText(title).width <= most ? [title] : title.split("; ").flatMap((part) => wrapped(ctx, part, most, TITLE));
}

function text(ctx, words, x, y, colour, align = "left", font = "11px", most = undefined) {
  ctx.font = `${font} ${FONT}`;
  ctx.textAlign = align;
  ctx.fillStyle = colour;
  ctx.fillText(words, x, y, most);
}

function line(ctx, x0, y0, x1, y1, colour, width = 1, dash = []) {
  ctx.beginPath();
  ctx.setLineDash(dash);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
  ctx.setLineDash([]);
}

function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step)
    found.push(Math.abs(value) < step * 1e-6 ? 0 : value);
  return found;
}

// What rounds to zero carries no minus.
const fixed = (value, decimals) => value.toFixed(decimals).replace(/^-(?=[0.]+$)/, "").replace("-", "\u2212");
const brief = (value) => Number(value.toPrecision(3)).toString().replace("-", "\u2212");

// The ticks of an axis with their words: those given, or round numbers.
function marked(given, low, high, most) {
  return given.length ? given : ticks(low, high, most).map((value) => ({ x: value, label: brief(value) }));
}

function xAxis(ctx, box, low, high, theme, label, given = []) {
  const bottom = box.y + box.h, to = (x) => box.x + ((x - low) / (high - low)) * box.w;
  line(ctx, box.x, bottom, box.x + box.w, bottom, theme.faint);
  let free = -Infinity;
  for (const tick of marked(given, low, high, Math.max(2, box.w / 55))) {
    line(ctx, to(tick.x), bottom, to(tick.x), bottom + 4, theme.faint);
    ctx.font = `10px ${FONT}`;
    const half = ctx.measureText(tick.label).width / 2;
    if (to(tick.x) - half < free) continue;  // its words would run into those before
    text(ctx, tick.label, to(tick.x), bottom + 15, theme.faint, "center", "10px");
    free = to(tick.x) + half + 5;
  }
  if (label) text(ctx, label, box.x + box.w / 2, bottom + 28, theme.text, "center", "11px", box.w + 20);
  return to;
}

function yAxis(ctx, box, low, high, theme, given = []) {
  const to = (y) => box.y + box.h - ((y - low) / (high - low)) * box.h;
  for (const tick of marked(given, low, high, Math.max(2, box.h / 38))) {
    line(ctx, box.x, to(tick.x), box.x + box.w, to(tick.x), theme.grid);
    text(ctx, tick.label, box.x - 5, to(tick.x) + 3.5, theme.faint, "right", "10px");
  }
  return to;
}

function marks(ctx, box, panel, to, theme, get) {
  const found = panel.marks, within = (x) => Math.min(box.x + box.w, Math.max(box.x, to(x)));
  const places = found.map((mark) => within(mark.x));
  const upright = panel.handles.filter((handle) => !handle.y.n).map((handle) => within(get(handle.x)[handle.now]));
  places.forEach((x) => line(ctx, x, box.y, x, box.y + box.h, theme.text, 1, [4, 3]));
  found.forEach((mark, i) => {
    const x = places[i], middle = box.x + box.w / 2;
    ctx.font = `11px ${FONT}`;
    const width = ctx.measureText(mark.label).width;  // kept within the plot, at the cost of standing over its own line
    // Toward the middle, unless another line would go through the words there and none on the other side.
    const clear = (from) => from >= box.x && from + width <= box.x + box.w && ![...places, ...upright].some((other) => other > from && other < from + width);
    const right = x > middle ? clear(x - 4 - width) || !clear(x + 4) : !clear(x + 4) && clear(x - 4 - width);
    const at = right ? Math.max(x - 4, box.x + width) : Math.min(x + 4, box.x + box.w - width);
    if (mark.label) plate(ctx, mark.label, at, box.y + 10 + 14 * i, theme, right ? "right" : "left");
  });
}

// Words broken into lines that fit a width.
function wrapped(ctx, words, width, font) {
  ctx.font = `${font} ${FONT}`;
  const rows = [];
  for (const word of words.split(" ")) {
    const longer = rows.length ? `${rows[rows.length - 1]} ${word}` : word;
    if (rows.length && ctx.measureText(longer).width <= width) rows[rows.length - 1] = longer;
    else rows.push(word);
  }
  return rows;
}

// Words on a patch of paper, so that they stay readable over whatever is drawn below.
function plate(ctx, words, x, y, theme, align = "left") {
  ctx.font = `11px ${FONT}`;
  const width = ctx.measureText(words).width;
  ctx.globalAlpha = 0.8;
  ctx.fillStyle = theme.paper;
  ctx.fillRect(align === "right" ? x - width - 2 : x - 2, y - 10, width + 4, 13);
  ctx.globalAlpha = 1;
  text(ctx, words, x, y, theme.text, align);
}

