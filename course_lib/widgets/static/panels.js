// The panel kinds (course_lib/widgets/scene.py), each one function of (context, box, panel, theme, get, cursor, seen).

function histogram(ctx, box, panel, theme, get) {
  const plot = { x: box.x + 4, y: box.y, w: box.w - 8, h: box.h - 20 };
  const shares = get(panel.shares), width = plot.w / shares.length;
  ctx.fillStyle = theme.palette[panel.colour % theme.palette.length];
  shares.forEach((share, i) => {
    const height = Math.min(1, share / panel.top) * plot.h;
    ctx.fillRect(plot.x + i * width, plot.y + plot.h - height, Math.max(1, width - 0.6), height);
  });
  const ghost = get(panel.ghost);
  if (ghost.length) steps(ctx, plot, ghost, panel.top, theme.text);
  const toX = xAxis(ctx, plot, panel.low, panel.high, theme);
  marks(ctx, plot, panel, toX, theme, get);
  return { plot, toX };
}

// The outline of a histogram.
function steps(ctx, plot, shares, top, colour) {
  const width = plot.w / shares.length;
  ctx.beginPath();
  shares.forEach((share, i) => {
    const y = plot.y + plot.h - Math.min(1, share / top) * plot.h;
    ctx.lineTo(plot.x + i * width, y);
    ctx.lineTo(plot.x + (i + 1) * width, y);
  });
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 2]);
  ctx.stroke();
  ctx.setLineDash([]);
}

function legend(ctx, x, y, width, series, theme, show) {
  let at = x, row = y, more = 0;  // what a label of several lines needs below the first
  series.forEach((entry, i) => {
    const words = wrapped(ctx, entry.label, width - 28, "11px");
    const needed = 30 + Math.max(...words.map((line) => ctx.measureText(line).width)) + 10;
    if (at > x && at + needed > x + width) { at = x; row += 15 + more; more = 0; }
    show(at, row, entry, i);
    words.forEach((line, k) => text(ctx, line, at + 28, row + 4 + 13 * k, theme.text));
    more = Math.max(more, 13 * (words.length - 1));
    at += needed;
  });
  return row + more + 12;
}

function lines(ctx, box, panel, theme, get) {
  const colour = (i) => theme.palette[i % theme.palette.length];
  const top = legend(ctx, box.x + 26, box.y + 4, box.w - 30, panel.series, theme, (x, y, entry, i) => {
    if (entry.style === "dots") dot(ctx, x + 12, y, colour(i));
    else line(ctx, x, y, x + 24, y, colour(i), 2, DASHES[entry.style]);
  });
  const plot = { x: box.x + 26, y: top, w: box.w - 34, h: box.y + box.h - top - (panel.xlabel ? 34 : 20) };
  const xs = get(panel.x), toY = yAxis(ctx, plot, panel.low, panel.high, theme);
  const toX = xAxis(ctx, plot, xs[0], xs[xs.length - 1], theme, panel.xlabel, panel.ticks);
  ctx.save();
  ctx.beginPath();
  ctx.rect(plot.x - 4, plot.y - 1, plot.w + 8, plot.h + 2);
  ctx.clip();
  panel.series.forEach((entry, i) => {
    const ys = get(entry.y);
    if (entry.style === "dots") ys.forEach((y, k) => Number.isNaN(y) || dot(ctx, toX(xs[k]), toY(y), colour(i)));
    else path(ctx, xs, ys, toX, toY, colour(i), DASHES[entry.style]);
  });
  ctx.restore();
  marks(ctx, plot, panel, toX, theme, get);
  return { plot, toX, toY };
}

function plane(ctx, box, panel, theme, get) {
  const colour = (curve) => curve.style === "faint" ? theme.pale : theme.palette[curve.colour % theme.palette.length];
  const gutter = panel.y.label ? 46 : 34;
  const named = panel.curves.filter((curve) => curve.label);
  const top = !named.length ? box.y : legend(ctx, box.x + gutter, box.y + 4, box.w - gutter - 4, named, theme,
    (x, y, curve) => sample(ctx, x, y, curve, colour(curve)));
  const plot = { x: box.x + gutter, y: top, w: box.w - gutter - 10, h: box.y + box.h - top - (panel.x.label ? 34 : 20) };
  const toY = yAxis(ctx, plot, panel.y.low, panel.y.high, theme, panel.y.ticks);
  const toX = xAxis(ctx, plot, panel.x.low, panel.x.high, theme, panel.x.label, panel.x.ticks);
  if (panel.y.label) {
    ctx.save();
    ctx.translate(box.x, plot.y + plot.h / 2);
    ctx.rotate(-Math.PI / 2);
    text(ctx, panel.y.label, 0, 2, theme.text, "center", "11px", plot.h + 20);
    ctx.restore();
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(plot.x - 5, plot.y - 5, plot.w + 10, plot.h + 10);
  ctx.clip();
  for (const curve of panel.curves) curveIn(ctx, plot, curve, get(curve.x), get(curve.y), toX, toY, colour(curve));
  if (panel.box.length) {
    const [a, b, c, d] = panel.box, corner = [toX(a), toY(d)], size = [toX(b) - toX(a), toY(c) - toY(d)];
    ctx.globalAlpha = 0.12;
    ctx.fillStyle = theme.text;
    ctx.fillRect(...corner, ...size);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = theme.text;
    ctx.lineWidth = 2;
    ctx.strokeRect(...corner, ...size);
  }
  ctx.restore();
  marks(ctx, plot, panel, toX, theme, get);
  return { plot, toX, toY };
}

// How a curve looks in the legend.
function sample(ctx, x, y, curve, colour) {
  if (SIGNS[curve.style]) SIGNS[curve.style](ctx, x + 14, y, colour);
  else if (curve.style === "area") { ctx.globalAlpha = 0.3; ctx.fillStyle = colour; ctx.fillRect(x, y - 5, 24, 10); ctx.globalAlpha = 1; }
  else if (curve.style.startsWith("rug")) for (let i = 0; i < 4; i++) line(ctx, x + 4 + 5 * i, y - 5, x + 4 + 5 * i, y + 5, colour, 2);
  else line(ctx, x, y, x + 24, y, colour, 2.2, DASHES[curve.style] || []);
}

function curveIn(ctx, plot, curve, xs, ys, toX, toY, colour) {
  const sign = SIGNS[curve.style];
  if (sign) {
    xs.forEach((x, k) => Number.isNaN(ys[k]) || sign(ctx, toX(x), toY(ys[k]), colour));
    return;
  }
  ctx.save();  // signs may stand over the edge of the plot, lines end there
  ctx.beginPath();
  ctx.rect(plot.x - 1, plot.y - 1, plot.w + 2, plot.h + 2);
  ctx.clip();
  if (curve.style === "rug-x") xs.forEach((x) => line(ctx, toX(x), plot.y + plot.h, toX(x), plot.y + plot.h - 11, colour, 2));
  else if (curve.style === "rug-y") ys.forEach((y) => line(ctx, plot.x, toY(y), plot.x + 11, toY(y), colour, 2));
  else if (curve.style === "area") {
    ctx.beginPath();
    xs.forEach((x, k) => ctx.lineTo(toX(x), toY(ys[k])));
    ctx.globalAlpha = 0.3;
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.globalAlpha = 1;
  } else path(ctx, xs, ys, toX, toY, colour, DASHES[curve.style] || [], curve.style === "faint" ? 1 : 2.2);
  ctx.restore();
}

// Points differ in shape as well as in colour.
const SIGNS = {
  dots: (ctx, x, y, colour) => dot(ctx, x, y, colour, 4),
  rings: (ctx, x, y, colour) => { ctx.beginPath(); ctx.arc(x, y, 4, 0, 7); ctx.strokeStyle = colour; ctx.lineWidth = 1.8; ctx.stroke(); },
  crosses: (ctx, x, y, colour) => { line(ctx, x - 4, y - 4, x + 4, y + 4, colour, 2); line(ctx, x - 4, y + 4, x + 4, y - 4, colour, 2); },
  stars: (ctx, x, y, colour) => corners(ctx, x, y, colour, 10, (k) => (k % 2 ? 3.2 : 8)),
  diamonds: (ctx, x, y, colour) => corners(ctx, x, y, colour, 4, () => 6),
};

function corners(ctx, x, y, colour, n, radius) {
  ctx.beginPath();
  for (let k = 0; k < n; k++) ctx.lineTo(x + radius(k) * Math.sin((2 * Math.PI * k) / n), y - radius(k) * Math.cos((2 * Math.PI * k) / n));
  ctx.closePath();
  ctx.fillStyle = colour;
  ctx.fill();
}

function dot(ctx, x, y, colour, radius = 2.2) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 7);
  ctx.fillStyle = colour;
  ctx.fill();
}

function path(ctx, xs, ys, toX, toY, colour, dash, width = 2.2) {
  ctx.beginPath();
  ctx.setLineDash(dash);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
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
    const x = plot.x + k * slot + slot * 0.1 + i * width;
    if (Number.isNaN(value)) { text(ctx, "?", x + width / 2, zero - 4, theme.faint, "center", "600 12px"); return; }
    const y = to(Math.max(panel.low, Math.min(panel.high, value)));
    const [upper, height] = [Math.min(y, zero), Math.abs(y - zero)];
    ctx.fillStyle = theme.palette[i % theme.palette.length];
    ctx.fillRect(x, upper, Math.max(1, width - 1), height);
    hatch(ctx, x, upper, Math.max(1, width - 1), height, i % 4, theme.paper);
    if (width > 22) text(ctx, fixed(value, panel.decimals), x + width / 2, value < 0 ? upper + height + 11 : upper - 3, theme.text, "center", "10px");
  }));
  line(ctx, plot.x, zero, plot.x + plot.w, zero, theme.faint);
  ctx.font = `11px ${FONT}`;
  // Names that are too long for one row stand in two, in turn.
  const inTurn = panel.groups.some((name) => ctx.measureText(name).width > slot - 2), [font, most] = inTurn ? ["10px", 2 * slot - 4] : ["11px", slot - 2];
  panel.groups.forEach((name, k) => text(ctx, name, plot.x + (k + 0.5) * slot, box.y + box.h - (inTurn ? 9 - 11 * (k % 2) : 4), theme.text, "center", font, most));
  return { plot };
}

function montage(ctx, box, panel, theme, get) {
  const [n, h, w] = panel.images.shape, pixels = get(panel.images);
  const columns = columnsOf(panel, box.w), rows = Math.ceil(n / columns);
  const levels = get(panel.levels), colours = get(panel.colours), bar = levels.length ? 5 : 0;
  const below = (panel.captions.length ? 13 : 2) + bar;
  const scale = Math.min(box.w / columns / (w + 2), (box.h / rows - below) / h);
  const stamp = montage.stamp || (montage.stamp = document.createElement("canvas"));
  stamp.width = w; stamp.height = h;
  const paper = stamp.getContext("2d"), image = paper.createImageData(w, h);
  const left = box.x + (box.w - columns * (w + 2) * scale) / 2;
  ctx.imageSmoothingEnabled = scale < 1;
  for (let i = 0; i < n; i++) {
    for (let p = 0, q = i * h * w * 3; p < h * w * 4; p += 4, q += 3) {
      image.data[p] = pixels[q]; image.data[p + 1] = pixels[q + 1]; image.data[p + 2] = pixels[q + 2]; image.data[p + 3] = 255;
    }
    paper.putImageData(image, 0, 0);
    const x = left + (i % columns) * (w + 2) * scale, y = box.y + Math.floor(i / columns) * (h * scale + below);
    ctx.drawImage(stamp, x, y, w * scale, h * scale);
    if (bar) {
      ctx.fillStyle = theme.grid;
      ctx.fillRect(x, y + h * scale + 1, w * scale, 4);
      ctx.fillStyle = theme.palette[colours[i] % theme.palette.length];
      ctx.fillRect(x, y + h * scale + 1, w * scale * levels[i], 4);
    }
    if (i === panel.outlined) {
      ctx.strokeStyle = theme.palette[4];
      ctx.lineWidth = 3;
      ctx.strokeRect(x + 1.5, y + 1.5, w * scale - 3, h * scale - 3);
    }
    if (panel.captions[i]) text(ctx, panel.captions[i], x + (w * scale) / 2, y + h * scale + bar + 10, theme.text, "center", "9.5px", w * scale);
  }
}

// Returns where each cell is, so that clicks and the keyboard find it.
function cells(ctx, box, panel, theme, get, cursor) {
  const [n, c, h, w] = panel.shape, groups = get(panel.groups), signs = get(panel.signs), framed = get(panel.framed), gap = CELL_GAP;
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
    if (framed[index]) {
      ctx.strokeStyle = theme.text;
      ctx.lineWidth = 1.6;
      ctx.strokeRect(x + 1.3, y + 1.3, size - 3.6, size - 3.6);
    }
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
  return { cells: { shape: panel.shape, find } };
}

// Returns where each entry is, so that a click finds it.
function table(ctx, box, panel, theme, get, cursor, seen) {
  const left = box.x + 18, top = box.y + 16, w = (box.x + box.w - left) / panel.columns.length, h = (box.y + box.h - top) / panel.rows.length;
  const known = new Set([...seen, panel.now]), areas = [];
  panel.columns.forEach((name, j) => text(ctx, name, left + (j + 0.5) * w, box.y + 10, theme.text, "center", "11px", w - 4));
  panel.rows.forEach((name, i) => {
    ctx.save();
    ctx.translate(box.x + 10, top + (i + 0.5) * h);
    ctx.rotate(-Math.PI / 2);
    text(ctx, name, 0, 0, theme.text, "center", "11px", h - 4);
    ctx.restore();
  });
  panel.entries.forEach((entries, cell) => {
    const x = left + (cell % panel.columns.length) * w, y = top + Math.floor(cell / panel.columns.length) * h;
    ctx.strokeStyle = theme.faint;
    ctx.lineWidth = 1;
    ctx.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    const heading = wrapped(ctx, panel.headings[cell], w - 12, "600 11px");
    heading.forEach((row, k) => text(ctx, row, x + 6, y + 13 + 12 * k, theme.text, "left", "600 11px", w - 12));
    const below = y + 8 + 12 * heading.length, height = (y + h - 3 - below) / entries.length;
    entries.forEach((entry, k) => {
      const at = below + k * height, number = areas.length;
      if (number === panel.now) {
        ctx.fillStyle = theme.empty;
        ctx.fillRect(x + 3, at, w - 6, height - 2);
        ctx.strokeStyle = theme.palette[1];
        ctx.lineWidth = 2;
        ctx.strokeRect(x + 3, at, w - 6, height - 2);
      }
      const [first, ...others] = entry.found && known.has(number) ? entry.found.split("\n") : ["?"];
      ctx.font = `11px ${FONT}`;
      const fits = ctx.measureText(`${entry.label}: ${first}`).width <= w - 14;
      const words = fits ? [`${entry.label}: ${first}`, ...others] : [`${entry.label}:`, first, ...others];
      words.forEach((row, i) => text(ctx, row, x + 8, at + 12 + 11 * i, theme.text, "left", "11px", w - 14));
      areas.push([x + 3, at, w - 6, height - 2]);
    });
  });
  const find = (px, py) => areas.findIndex(([x, y, w, h]) => px >= x && px < x + w && py >= y && py < y + h);
  return { entries: { all: panel.entries.flat(), find } };
}

const PANELS = { histogram, lines, plane, bars, montage, cells, table };
