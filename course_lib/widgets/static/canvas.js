// Draws a scene (course_lib/widgets/scene.py) on a canvas. Every panel kind is one function of (context, box, panel, theme).

const LIGHT = { palette: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"],
  text: "#1f1f1f", faint: "#6b6b6b", grid: "#d9d9d9", paper: "#ffffff", empty: "#e2e2e2" };
const DARK = { palette: ["#56B4E9", "#FF9248", "#35C9A0", "#E6A3C9", "#F2CC58", "#9DB8FF", "#FFFFFF"],
  text: "#ececec", faint: "#b0b0b0", grid: "#4a4a4a", paper: "#111111", empty: "#3a3a3a" };
const DASHES = { line: [], dashed: [7, 4], dots: [] };
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

function themeNow() {
  const light = document.body.dataset.jpThemeLight;
  const dark = light === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : light === "false";
  return dark ? DARK : LIGHT;
}

// The arrays of a scene lie in one buffer; its offset within the message need not be aligned, hence the copy.
function arraysOf(view) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return (place) => place.type === "u1" ? new Uint8Array(bytes, place.at, place.n) : new Float32Array(bytes, place.at, place.n);
}

function drawScene(canvas, spec, view, cursor = -1) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(spec.width * ratio), Math.round(spec.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const ctx = canvas.getContext("2d"), theme = themeNow(), get = arraysOf(view);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, spec.width, spec.height);
  const total = spec.weights.reduce((a, b) => a + b, 0);
  let left = 0, hits = null;
  spec.panels.forEach((panel, i) => {
    const share = (spec.width * spec.weights[i]) / total;
    text(ctx, panel.title, left + share / 2, 13, theme.text, "center", "600 12px");
    const box = { x: left + 8, y: 22, w: share - 16, h: spec.height - 26 };
    hits = PANELS[panel.kind](ctx, box, panel, theme, get, cursor) || hits;
    left += share;
  });
  return hits;
}

function text(ctx, words, x, y, colour, align = "left", font = "11px") {
  ctx.font = `${font} ${FONT}`;
  ctx.textAlign = align;
  ctx.fillStyle = colour;
  ctx.fillText(words, x, y);
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

const brief = (value) => Number(value.toPrecision(3)).toString();

function xAxis(ctx, box, low, high, theme, label) {
  const bottom = box.y + box.h, to = (x) => box.x + ((x - low) / (high - low)) * box.w;
  line(ctx, box.x, bottom, box.x + box.w, bottom, theme.faint);
  for (const tick of ticks(low, high, Math.max(2, box.w / 55))) {
    line(ctx, to(tick), bottom, to(tick), bottom + 4, theme.faint);
    text(ctx, brief(tick), to(tick), bottom + 15, theme.faint, "center", "10px");
  }
  if (label) text(ctx, label, box.x + box.w / 2, bottom + 28, theme.text, "center");
  return to;
}

function yAxis(ctx, box, low, high, theme) {
  const to = (y) => box.y + box.h - ((y - low) / (high - low)) * box.h;
  for (const tick of ticks(low, high, Math.max(2, box.h / 38))) {
    line(ctx, box.x, to(tick), box.x + box.w, to(tick), theme.grid);
    text(ctx, brief(tick), box.x - 5, to(tick) + 3.5, theme.faint, "right", "10px");
  }
  return to;
}

function marks(ctx, box, found, to, theme) {
  const places = found.map((mark) => Math.min(box.x + box.w, Math.max(box.x, to(mark.x))));
  places.forEach((x) => line(ctx, x, box.y, x, box.y + box.h, theme.text, 1, [4, 3]));
  found.forEach((mark, i) => {
    const x = places[i], right = x > box.x + box.w / 2;
    plate(ctx, mark.label, x + (right ? -4 : 4), box.y + 10 + 14 * i, theme, right ? "right" : "left");
  });
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

function histogram(ctx, box, panel, theme, get) {
  const plot = { x: box.x + 4, y: box.y, w: box.w - 8, h: box.h - 20 };
  const shares = get(panel.shares), width = plot.w / shares.length;
  ctx.fillStyle = theme.palette[panel.colour % theme.palette.length];
  shares.forEach((share, i) => {
    const height = Math.min(1, share / panel.top) * plot.h;
    ctx.fillRect(plot.x + i * width, plot.y + plot.h - height, Math.max(1, width - 0.6), height);
  });
  const to = xAxis(ctx, plot, panel.low, panel.high, theme);
  marks(ctx, plot, panel.marks, to, theme);
}

function legend(ctx, x, y, width, series, theme, sample) {
  let at = x, row = y;
  ctx.font = `11px ${FONT}`;
  series.forEach((entry, i) => {
    const needed = 30 + ctx.measureText(entry.label).width + 10;
    if (at > x && at + needed > x + width) { at = x; row += 15; }
    sample(at, row, entry, i);
    text(ctx, entry.label, at + 28, row + 4, theme.text);
    at += needed;
  });
  return row + 12;
}

function lines(ctx, box, panel, theme, get) {
  const colour = (i) => theme.palette[i % theme.palette.length];
  const top = legend(ctx, box.x + 26, box.y + 4, box.w - 30, panel.series, theme, (x, y, entry, i) => {
    if (entry.style === "dots") dot(ctx, x + 12, y, colour(i));
    else line(ctx, x, y, x + 24, y, colour(i), 2, DASHES[entry.style]);
  });
  const plot = { x: box.x + 26, y: top, w: box.w - 34, h: box.y + box.h - top - (panel.xlabel ? 34 : 20) };
  const xs = get(panel.x), toY = yAxis(ctx, plot, panel.low, panel.high, theme);
  const toX = xAxis(ctx, plot, xs[0], xs[xs.length - 1], theme, panel.xlabel);
  ctx.save();
  ctx.beginPath();
  ctx.rect(plot.x, plot.y - 1, plot.w, plot.h + 2);
  ctx.clip();
  panel.series.forEach((entry, i) => {
    const ys = get(entry.y);
    if (entry.style === "dots") ys.forEach((y, k) => Number.isNaN(y) || dot(ctx, toX(xs[k]), toY(y), colour(i)));
    else path(ctx, xs, ys, toX, toY, colour(i), DASHES[entry.style]);
  });
  ctx.restore();
  marks(ctx, plot, panel.marks, toX, theme);
}

function dot(ctx, x, y, colour) {
  ctx.beginPath();
  ctx.arc(x, y, 2.2, 0, 7);
  ctx.fillStyle = colour;
  ctx.fill();
}

function path(ctx, xs, ys, toX, toY, colour, dash) {
  ctx.beginPath();
  ctx.setLineDash(dash);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2.2;
  let drawing = false;
  ys.forEach((y, k) => {
    if (Number.isNaN(y)) { drawing = false; return; }
    if (drawing) ctx.lineTo(toX(xs[k]), toY(y));
    else ctx.moveTo(toX(xs[k]), toY(y));
    drawing = true;
  });
  ctx.stroke();
  ctx.setLineDash([]);
}

// Bars differ in hatching as well as in colour.
function hatch(ctx, x, y, w, h, kind, colour) {
  if (!kind) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  for (let at = -h; at < w; at += 7) {
    if (kind !== 2) line(ctx, x + at, y + h, x + at + h, y, colour, 1.4);
    if (kind > 1) line(ctx, x + at, y, x + at + h, y + h, colour, 1.4);
  }
  ctx.restore();
}

function bars(ctx, box, panel, theme, get) {
  const many = panel.series.length > 1;
  const top = !many ? box.y : legend(ctx, box.x + 26, box.y + 4, box.w - 30, panel.series, theme, (x, y, entry, i) => {
    ctx.fillStyle = theme.palette[i % theme.palette.length];
    ctx.fillRect(x, y - 5, 22, 10);
    hatch(ctx, x, y - 5, 22, 10, i % 4, theme.paper);
  });
  const plot = { x: box.x + 30, y: top + 8, w: box.w - 34, h: box.y + box.h - top - 28 };
  const to = yAxis(ctx, plot, panel.low, panel.high, theme);
  const slot = plot.w / panel.groups.length, width = (slot * 0.8) / panel.series.length;
  const zero = to(Math.max(panel.low, Math.min(panel.high, 0)));
  panel.series.forEach((entry, i) => get(entry.y).forEach((value, k) => {
    const x = plot.x + k * slot + slot * 0.1 + i * width, y = to(Math.max(panel.low, Math.min(panel.high, value)));
    const [upper, height] = [Math.min(y, zero), Math.abs(y - zero)];
    ctx.fillStyle = theme.palette[i % theme.palette.length];
    ctx.fillRect(x, upper, Math.max(1, width - 1), height);
    hatch(ctx, x, upper, Math.max(1, width - 1), height, i % 4, theme.paper);
    if (width > 22) text(ctx, value.toFixed(2), x + width / 2, value < 0 ? upper + height + 11 : upper - 3, theme.text, "center", "10px");
  }));
  line(ctx, plot.x, zero, plot.x + plot.w, zero, theme.faint);
  panel.groups.forEach((name, k) => text(ctx, name, plot.x + (k + 0.5) * slot, box.y + box.h - 4, theme.text, "center"));
}

function montage(ctx, box, panel, theme, get) {
  const [n, h, w] = panel.images.shape, pixels = get(panel.images), rows = Math.ceil(n / panel.columns);
  const below = panel.captions.length ? 13 : 2;
  const scale = Math.min(box.w / panel.columns / (w + 2), (box.h / rows - below) / h);
  const stamp = montage.stamp || (montage.stamp = document.createElement("canvas"));
  stamp.width = w; stamp.height = h;
  const paper = stamp.getContext("2d"), image = paper.createImageData(w, h);
  const left = box.x + (box.w - panel.columns * (w + 2) * scale) / 2;
  ctx.imageSmoothingEnabled = scale < 1;
  for (let i = 0; i < n; i++) {
    for (let p = 0, q = i * h * w * 3; p < h * w * 4; p += 4, q += 3) {
      image.data[p] = pixels[q]; image.data[p + 1] = pixels[q + 1]; image.data[p + 2] = pixels[q + 2]; image.data[p + 3] = 255;
    }
    paper.putImageData(image, 0, 0);
    const x = left + (i % panel.columns) * (w + 2) * scale, y = box.y + Math.floor(i / panel.columns) * (h * scale + below);
    ctx.drawImage(stamp, x, y, w * scale, h * scale);
    if (panel.captions[i]) text(ctx, panel.captions[i], x + (w * scale) / 2, y + h * scale + 10, theme.text, "center", "9.5px");
  }
}

// Returns where each cell is, so that clicks and the keyboard find it.
function cells(ctx, box, panel, theme, get, cursor) {
  const [n, c, h, w] = panel.shape, groups = get(panel.groups), signs = get(panel.signs), gap = 0.6;
  const size = Math.min((box.w - 34) / (c * (w + gap)), (box.h - 18) / (n * (h + gap)));
  const left = box.x + 30 + (box.w - 34 - size * c * (w + gap)) / 2, top = box.y + 16;
  const corner = (index) => {
    const m = index % w, k = Math.floor(index / w) % h, j = Math.floor(index / (w * h)) % c, i = Math.floor(index / (w * h * c));
    return [left + (j * (w + gap) + m) * size, top + (i * (h + gap) + k) * size];
  };
  for (let j = 0; j < c; j++) text(ctx, `c=${j}`, left + (j * (w + gap) + w / 2) * size, top - 4, theme.text, "center");
  for (let i = 0; i < n; i++) text(ctx, `n=${i}`, left - 6, top + (i * (h + gap) + h / 2) * size + 4, theme.text, "right");
  for (let index = 0; index < n * c * h * w; index++) {
    const [x, y] = corner(index), group = groups[index], sign = panel.letters[signs[index]];
    ctx.globalAlpha = group === 255 ? 1 : 0.5;
    ctx.fillStyle = group === 255 ? theme.empty : theme.palette[group % theme.palette.length];
    ctx.fillRect(x, y, size - 1, size - 1);
    ctx.globalAlpha = 1;
    if (sign) text(ctx, sign, x + (size - 1) / 2, y + size / 2 + 4, theme.text, "center", `600 ${Math.min(12, size * 0.6)}px`);
  }
  if (cursor >= 0) {
    const [x, y] = corner(cursor);
    ctx.strokeStyle = theme.text;
    ctx.lineWidth = 2.5;
    ctx.strokeRect(x - 1.5, y - 1.5, size + 2, size + 2);
  }
  const find = (x, y) => {
    for (let index = 0; index < n * c * h * w; index++) {
      const [a, b] = corner(index);
      if (x >= a && x < a + size && y >= b && y < b + size) return index;
    }
    return -1;
  };
  return { shape: panel.shape, find };
}

const PANELS = { histogram, lines, bars, montage, cells };
