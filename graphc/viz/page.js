"use strict";
// The same layout as graphc/viz/layout.py, made again when a unit is opened or closed.
const model = JSON.parse(document.getElementById("model").textContent);
const CHAR = 6.7, LINE = 14, PAD = 8, GAP_X = 16, GAP_Y = 26, TITLE = 20, LANE_GAP = 70, BEND = 8, STACK = 4;
const units = model.units, root = units[0], opened = new Set(model.opened);
const shell = document.getElementById("view"), info = document.getElementById("info");
const search = document.getElementById("search"), found = document.getElementById("found");
const SVG = "http://www.w3.org/2000/svg", key = (u, k) => u.id * 3 + k;
let focused = 0, zoom = { x: 0, y: 0, k: 1 }, size = { width: 0, height: 0 };

units.forEach((u, id) => { u.id = id; });
const above = (u) => { const chain = [u]; while (u.parent !== null) chain.push(u = units[u.parent]); return chain; };

function settle(row, wanted, widths, slots) {
  const offsets = []; let at = 0;
  row.forEach((s, i) => { if (i) at += (widths[row[i - 1]] + widths[s]) / 2 + GAP_X; offsets.push(at); });
  const blocks = [];
  row.forEach((s, i) => {
    const weight = slots[s].u !== null ? 1 : slots[s].n === null ? 4 : 0.5;
    blocks.push([(wanted[i] - offsets[i]) * weight, weight, 1]);
    while (blocks.length > 1) {
      const [b, a] = [blocks[blocks.length - 1], blocks[blocks.length - 2]];
      if (a[0] / a[1] <= b[0] / b[1]) break;
      blocks.pop(); a[0] += b[0]; a[1] += b[1]; a[2] += b[2];
    }
  });
  const places = blocks.flatMap(([total, weight, count]) => Array(count).fill(total / weight));
  return places.map((place, i) => place + offsets[i]);
}

function columns(lane, widths) {
  const xs = [], slots = lane.slots;
  const put = (row, wanted) => settle(row, wanted, widths, slots).forEach((x, i) => { xs[row[i]] = x; });
  lane.rows.forEach((row) => put(row, row.map(() => 0)));
  for (let sweep = 0; sweep < 10; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? lane.rows : [...lane.rows].reverse()) {
      put(row, row.map((s) => {
        const near = slots[s].near.filter((o) => sweep > 5 || (slots[o].row < slots[s].row) === down);
        return near.length ? near.reduce((sum, o) => sum + xs[o], 0) / near.length : xs[s];
      }));
    }
  }
  return xs;
}

function textOf(u, k) {
  const title = u.count > 1 ? `${u.title} (× ${u.count})` : u.title;
  if (u.leaf) return [title, u.lines];
  const count = u.lanes[k] || 0;
  return [title, [`${count} operation${count !== 1 ? "s" : ""}`, ...u.lines.slice(0, Math.max(0, 1 - k))]];
}

function place() {
  const sizes = new Map(), xs = new Map(), tops = new Map(), highs = new Map(), boxes = new Map();
  const visible = [], stack = [root];
  while (stack.length) {
    const u = stack.pop(); visible.push(u);
    if (opened.has(u.id)) for (const c of [...u.children].reverse()) stack.push(units[c]);
  }
  for (const u of [...visible].reverse()) measure(u);
  function measure(u) {
    if (!opened.has(u.id)) {
      for (const k of Object.keys(u.lanes).map(Number)) {
        const [title, lines] = textOf(u, k), behind = u.count > 1 ? STACK * 2 : 0;
        const wide = Math.max(title.length + 1, 6, ...lines.map((l) => l.length));
        sizes.set(key(u, k), [wide * CHAR + 2 * PAD + behind, LINE * (1 + lines.length) + PAD * 1.25 + behind]);
      }
      return;
    }
    for (const group of [[0, 1], [2]]) {
      const present = group.filter((k) => u.plan[k]);
      if (!present.length) continue;
      const top = [TITLE], high = [0], count = u.plan[present[0]].rows.length; let y = TITLE + PAD;
      for (let row = 1; row < count - 1; row++) {
        top.push(y);
        let most = 0;
        for (const k of present) for (const s of u.plan[k].rows[row]) {
          const inner = u.plan[k].slots[s].u;
          if (inner !== null) most = Math.max(most, sizes.get(key(units[inner], k))[1]);
        }
        high.push(most); y += most + GAP_Y;
      }
      top.push(y - GAP_Y + PAD);
      for (const k of present) {
        const lane = u.plan[k];
        const widths = lane.slots.map((s) => (s.u !== null ? sizes.get(key(units[s.u], k))[0] : BEND));
        const centres = columns(lane, widths);
        const left = Math.min(...centres.map((c, i) => c - widths[i] / 2), Infinity);
        const right = Math.max(...centres.map((c, i) => c + widths[i] / 2), -Infinity);
        const wide = Math.max(right - left, (u.title.length + 6) * CHAR);
        tops.set(key(u, k), top); highs.set(key(u, k), high);
        xs.set(key(u, k), centres.map((c) => c - left + (wide - (right - left)) / 2 + PAD));
        sizes.set(key(u, k), [wide + 2 * PAD, top[top.length - 1] + PAD]);
      }
    }
  }
  let x = PAD * 2; const lanes = {}, all = Object.keys(root.lanes).map(Number).sort();
  for (const k of all) {
    const [w, h] = sizes.get(key(root, k));
    boxes.set(key(root, k), { u: root, k, open: true, x, y: TITLE * 2, w, h });
    lanes[k] = x; x += w + LANE_GAP;
  }
  for (const u of visible) {
    if (!opened.has(u.id)) continue;
    for (const k of Object.keys(u.plan).map(Number)) {
      const outer = boxes.get(key(u, k)), mine = xs.get(key(u, k)).map((c) => c + outer.x);
      xs.set(key(u, k), mine);
      u.plan[k].slots.forEach((s, i) => {
        if (s.u === null) return;
        const c = units[s.u], [w, h] = sizes.get(key(c, k));
        boxes.set(key(c, k), { u: c, k, open: opened.has(c.id), x: mine[i] - w / 2, y: outer.y + tops.get(key(u, k))[s.row], w, h });
      });
    }
  }
  const arrows = [], drawn = new Set();
  const portOf = (u, k, enters, node) => {
    const lane = opened.has(u.id) ? u.plan[k] : null;
    return lane ? lane.slots.findIndex((s) => s.u === null && s.n === node && s.enters === enters) : -1;
  };
  for (const u of visible) {
    if (!opened.has(u.id)) continue;
    for (const k of Object.keys(u.plan).map(Number)) {
      const lane = u.plan[k], outer = boxes.get(key(u, k)), top = tops.get(key(u, k)), high = highs.get(key(u, k)), mine = xs.get(key(u, k));
      for (const link of lane.links) for (const node of link.nodes) {
        const points = [], last = link.path.length - 1;
        link.path.forEach((i, at) => {
          const s = lane.slots[i], bottom = outer.y + top[s.row] + (high[s.row] || 0);
          if (at && at < last) {
            const ends = [[mine[i], outer.y + top[s.row]], [mine[i], bottom]];
            points.push(...(lane.up ? ends.reverse() : ends));
          } else if (s.u === null) points.push([mine[i], s.row === 0 ? outer.y : outer.y + outer.h]);
          else {
            const box = boxes.get(key(units[s.u], k)), port = portOf(units[s.u], k, at !== 0, node);
            const px = port >= 0 ? xs.get(key(units[s.u], k))[port] : box.x + box.w / 2;
            const isTop = (at === 0) === (lane.up === link.forth), y = isTop ? box.y : box.y + box.h;
            const ends = [[px, y]];
            if (link.forth && (at === 0) !== lane.up && bottom > y) ends.push([px, bottom]);
            points.push(...(at === 0 ? ends : ends.reverse()));
          }
        });
        const target = lane.slots[link.path[last]].u;
        const head = target !== null && portOf(units[target], k, true, node) < 0;
        const path = curve(points, false);
        if (drawn.has(path)) continue;
        drawn.add(path);
        arrows.push({ path, kind: link.forth ? "forth" : "back", head, a: lane.slots[link.path[0]].u, b: target });
      }
    }
  }
  const shown = (u) => { const chain = above(u); let best = u; chain.forEach((c, i) => { if (i && !opened.has(c.id)) best = c; }); return best; };
  for (const [from, a, to, b] of model.across) {
    const [s, t] = [shown(units[from]), shown(units[to])];
    const one = boxes.get(key(s, a)), two = boxes.get(key(t, b));
    if (!one || !two) continue;
    const right = one.x < two.x;
    const points = [[right ? one.x + one.w : one.x, one.y + one.h / 2], [right ? two.x : two.x + two.w, two.y + two.h / 2]];
    const path = curve(points, true);
    if (drawn.has(path)) continue;
    drawn.add(path);
    arrows.push({ path, kind: "across", head: true, a: s.id, b: t.id });
  }
  size = { width: x - LANE_GAP + PAD * 2, height: TITLE * 2 + Math.max(...all.map((k) => sizes.get(key(root, k))[1])) + PAD };
  boxes.forEach((box, id) => { if (box.u === root) boxes.delete(id); });
  return { boxes: [...boxes.values()], arrows, lanes };
}

function curve(points, sideways) {
  let [[x, y], ...rest] = points, path = `M${x.toFixed(1)},${y.toFixed(1)}`;
  for (const [a, b] of rest) {
    const f = (...n) => n.map((v) => v.toFixed(1)).join(" ");
    if (sideways) path += `C${f(x + (a - x) / 2, y, a - (a - x) / 2, b, a, b)}`;
    else if (x === a) path += `L${f(a, b)}`;
    else path += `C${f(x, y + (b - y) / 2, a, b - (b - y) / 2, a, b)}`;
    [x, y] = [a, b];
  }
  return path;
}

function make(name, attributes, parent, words) {
  const element = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attributes)) element.setAttribute(k, v);
  if (words !== undefined) element.textContent = words;
  parent.appendChild(element);
  return element;
}

function draw() {
  const layout = place();
  const layer = document.getElementById("layer");
  layer.replaceChildren();
  if (Object.keys(layout.lanes).length > 1 || !("0" in layout.lanes))
    for (const [k, x] of Object.entries(layout.lanes))
      make("text", { x: x + PAD, y: TITLE + LINE + 2, class: `t lane${k}` }, layer, ["Forward ↓", "Backward ↑", "Optimizer"][k]);
  layout.boxes.filter((b) => b.open).forEach((b) => drawBox(b, layer));
  for (const kind of ["across", "back", "forth"])
    for (const arrow of layout.arrows.filter((a) => a.kind === kind))
      make("path", { class: `edge ${kind}`, d: arrow.path, "data-a": arrow.a ?? "", "data-b": arrow.b ?? "", ...(arrow.head ? { "marker-end": "url(#arrow)" } : {}) }, layer);
  layout.boxes.filter((b) => !b.open).forEach((b) => drawBox(b, layer));
  layer.setAttribute("transform", `translate(${zoom.x},${zoom.y}) scale(${zoom.k})`);
  const again = layer.querySelector(`[data-unit="${focused}"]`);
  if (again && document.activeElement !== search) again.focus({ preventScroll: true });
}

function drawBox(box, layer) {
  const u = box.u, inside = u.children.length > 0;
  const group = make("g", { class: `unit lane${box.k} ${u.kind} ${box.open ? "open" : ""}`, tabindex: 0, "data-unit": u.id, role: inside ? "button" : "img",
    "aria-label": `${u.title}, ${["forward", "backward", "optimizer"][box.k]}`, ...(inside ? { "aria-expanded": box.open } : {}) }, layer);
  const behind = u.count > 1 && !box.open ? STACK * 2 : 0, [title, lines] = textOf(u, box.k);
  const round = ["input", "parameter"].includes(u.kind) && u.lines.length < 2 ? (box.h - behind) / 2 : 5;
  for (const step of behind ? [STACK * 2, STACK, 0] : [0])
    make("rect", { x: box.x + step, y: box.y + step, width: box.w - behind, height: box.h - behind, rx: round }, group);
  const shown = box.open ? [title] : [title, ...lines];
  shown.forEach((words, i) => make("text", { class: i ? "s" : "t", y: box.y + LINE * (i + 1) + 1,
    ...(box.open ? { x: box.x + PAD } : { x: box.x + (box.w - behind) / 2, "text-anchor": "middle" }) }, group, i === 0 && inside ? `${box.open ? "▾" : "▸"} ${words}` : words));
  group.addEventListener("mouseenter", () => tell(u));
  group.addEventListener("focus", () => { focused = u.id; tell(u); });
  group.addEventListener("click", (event) => { event.stopPropagation(); focused = u.id; if (inside && !moved) toggle(u); });
}

function tell(u) {
  info.replaceChildren();
  const add = (tag, words) => { const e = document.createElement(tag); e.textContent = words; info.appendChild(e); };
  add("b", u.count > 1 ? `${u.title} (× ${u.count})` : u.title);
  add("span", u.hint || Object.entries(u.lanes).map(([k, n]) => `${n} ${["forward", "backward", "optimizer"][k]}`).join(", "));
  if (u.names.length) add("span", u.names.join(", "));
  document.querySelectorAll(".edge").forEach((e) => e.classList.toggle("lit", e.dataset.a === String(u.id) || e.dataset.b === String(u.id)));
}

function toggle(u) { if (opened.has(u.id)) opened.delete(u.id); else opened.add(u.id); draw(); }
function fit() {
  const k = Math.min(shell.clientWidth / size.width, shell.clientHeight / size.height, 1.4);
  zoom = { k, x: Math.max(0, (shell.clientWidth - size.width * k) / 2), y: 0 };
  draw();
}
function scale(by, x = shell.clientWidth / 2, y = shell.clientHeight / 2) {
  const k = Math.min(8, Math.max(0.02, zoom.k * by));
  zoom = { k, x: x - (x - zoom.x) * (k / zoom.k), y: y - (y - zoom.y) * (k / zoom.k) };
  document.getElementById("layer").setAttribute("transform", `translate(${zoom.x},${zoom.y}) scale(${zoom.k})`);
}
function show(u) {
  for (const outer of above(u).slice(1)) opened.add(outer.id);
  focused = u.id; draw();
  const element = document.querySelector(`[data-unit="${u.id}"] rect`);
  if (!element) return;
  const box = element.getBBox();
  zoom.k = Math.max(zoom.k, 0.8);
  zoom.x = shell.clientWidth / 2 - (box.x + box.width / 2) * zoom.k;
  zoom.y = shell.clientHeight / 2 - (box.y + box.height / 2) * zoom.k;
  draw(); tell(u);
}
function look() {
  const words = search.value.trim().toLowerCase();
  found.replaceChildren();
  if (!words) return [];
  const hits = units.filter((u) => u !== root && `${u.title} ${u.hint} ${u.lines.join(" ")}`.toLowerCase().includes(words)).slice(0, 50);
  for (const u of hits) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.textContent = above(u).slice(0, -1).reverse().map((o) => o.title).join(" / ");
    button.addEventListener("click", () => show(u));
    item.appendChild(button); found.appendChild(item);
  }
  return hits;
}

let held = null, moved = false;
shell.addEventListener("wheel", (e) => { e.preventDefault(); scale(Math.exp(-e.deltaY / 500), e.offsetX, e.offsetY); }, { passive: false });
shell.addEventListener("pointerdown", (e) => { held = { x: e.clientX - zoom.x, y: e.clientY - zoom.y, at: [e.clientX, e.clientY] }; moved = false; });
window.addEventListener("pointermove", (e) => {
  if (!held) return;
  if (Math.hypot(e.clientX - held.at[0], e.clientY - held.at[1]) > 4) moved = true;
  if (moved) { zoom.x = e.clientX - held.x; zoom.y = e.clientY - held.y; scale(1); }
});
window.addEventListener("pointerup", () => { held = null; });
search.addEventListener("input", look);
search.addEventListener("keydown", (e) => { if (e.key === "Enter") { const hits = look(); if (hits.length) show(hits[0]); } });
function step(dx, dy) {
  const all = [...document.querySelectorAll(".unit")], here = document.querySelector(`[data-unit="${focused}"]`) || all[0];
  if (!here) return;
  const middle = (e) => { const b = e.querySelector("rect").getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; };
  const [x, y] = middle(here); let best = null, least = Infinity;
  for (const e of all) {
    const [a, b] = middle(e), along = (a - x) * dx + (b - y) * dy, aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
    if (e !== here && along > 1 && along + 2 * aside < least) { least = along + 2 * aside; best = e; }
  }
  if (best) best.focus();
}
const all = (open) => { opened.clear(); opened.add(0); if (open) units.forEach((u) => { if (u.children.length) opened.add(u.id); }); fit(); };
const theme = () => { const r = document.documentElement, dark = r.dataset.theme ? r.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; r.dataset.theme = dark ? "light" : "dark"; };
const KEYS = {
  "+": () => scale(1.25), "=": () => scale(1.25), "-": () => scale(0.8), 0: fit, e: () => all(true), c: () => all(false), d: theme,
  ArrowDown: () => step(0, 1), ArrowUp: () => step(0, -1), ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0),
  Enter: () => { if (units[focused].children.length && focused) toggle(units[focused]); }, "/": () => search.focus(),
};
KEYS[" "] = KEYS.Enter;
window.addEventListener("keydown", (e) => {
  if (e.key === "Escape") { search.value = ""; look(); search.blur(); return; }
  if (document.activeElement === search || document.activeElement.tagName === "BUTTON" || e.ctrlKey || e.metaKey || e.altKey) return;
  if (KEYS[e.key]) { e.preventDefault(); KEYS[e.key](); }
});
for (const [id, act] of Object.entries({ fit, more: () => all(true), less: () => all(false), theme })) document.getElementById(id).addEventListener("click", act);
place(); fit();
