"use strict";
// The film strip: stages are sets of things; a cell is a thing, and moves when the set changes.
const at = (id) => document.getElementById(id);
const graph = at("graph"), panel = at("panel"), slider = at("slider"), search = at("search");
const OP = 0, TYPE = 1, SCOPE = 2, LINE = 3, ATTRS = 4, LANE = 5, BYTES = 6, FLOPS = 7, INPUTS = 8, KIND = 9;
const SIGN = { added: "+ ", removed: "× ", merged: "= ", fused: "▸ " };
let model, present = [], now = 0, chosen = null, tab = "node", zoom = 1;
const folded = new Set(), cells = new Map(), labels = new Map();

const word = (t, k) => model.words[model.things[t][k]];
const units = (n, names, step) => { let k = 0; while (n >= step && k < names.length - 1) { n /= step; k++; } return `${k ? n.toFixed(1) : Math.round(n)} ${names[k]}`; };
const bytes = (n) => units(n, ["B", "kB", "MB", "GB"], 1024);
const flops = (n) => (n === null ? "?" : units(n, ["flop", "kflop", "Mflop", "Gflop"], 1000));
const time = (s) => (s === null ? "not timed" : units(s * 1e9, ["ns", "us", "ms", "s"], 1000));

function make(name, parent, words, attributes = {}) {
  const svg = ["svg", "rect", "text", "path", "circle", "title", "g"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) element.setAttribute(k, v);
  if (words !== null && words !== undefined) element.textContent = words;
  parent.appendChild(element);
  return element;
}

function start(found) {
  model = found;
  let set = new Set();
  for (const stage of model.stages) {
    stage.gone.forEach(([t]) => set.delete(t));
    stage.added.forEach((t) => set.add(t));
    present.push(new Set(set));
  }
  slider.max = model.stages.length - 1;
  go(0); open("rules");
  document.documentElement.dataset.ready = "yes";
}

function go(stage) {
  now = Math.min(Math.max(stage, 0), model.stages.length - 1);
  slider.value = now;
  const { name, added, gone, ms } = model.stages[now];
  const count = (how) => gone.filter((g) => g[1] === how).length;
  const parts = [`+${added.length} added`, `×${count("removed")} removed`, `=${count("merged")} merged`, `▸${count("fused")} fused`];
  at("stage").textContent = `${now}: ${name}, ${present[now].size} nodes; ${now ? parts.join(", ") : "as written"}${ms ? `; ${ms} ms` : ""}`;
  layout(); show();
}

function layout() {
  const { added, gone } = model.stages[now], fresh = new Set(now ? added : []), left = new Map(gone.map((g) => [g[0], g]));
  const rows = new Map();
  for (const t of [...present[now], ...left.keys()].sort((a, b) => a - b)) {
    const scope = word(t, SCOPE);
    if (!rows.has(scope)) rows.set(scope, []);
    rows.get(scope).push(t);
  }
  const wide = 84 * zoom, high = 17 * zoom, width = Math.max(graph.clientWidth - 24, wide * 2), used = new Set(), spots = new Map();
  let y = 0;
  for (const [scope, things] of rows) {
    const label = labels.get(scope) || make("button", graph, null, { class: "scope", type: "button" });
    if (!labels.has(scope)) { labels.set(scope, label); label.addEventListener("click", () => { if (folded.has(scope)) folded.delete(scope); else folded.add(scope); layout(); }); }
    label.textContent = `${folded.has(scope) ? "▸" : "▾"} ${scope || "graph"} (${things.length})`;
    label.style.transform = `translate(0,${y}px)`; label.hidden = false; used.add(scope);
    y += 18;
    const shown = folded.has(scope) ? [] : things, columns = Math.max(1, Math.floor(width / wide));
    shown.forEach((t, i) => spots.set(t, [(i % columns) * wide, y + Math.floor(i / columns) * (high + 3)]));
    y += Math.ceil(shown.length / columns) * (high + 3) + 6;
  }
  labels.forEach((label, scope) => { label.hidden = !used.has(scope); });
  cells.forEach((cell, t) => { if (!spots.has(t)) { cell.remove(); cells.delete(t); } });
  for (const [t, [x, top]] of spots) {
    const cell = cells.get(t) || born(t), away = left.get(t), how = away ? away[1] : fresh.has(t) ? "added" : "";
    const into = away && away[2] !== null ? spots.get(away[2]) : null;
    cell.className = `cell lane${model.things[t][LANE]} ${how} ${away ? "away" : ""} ${word(t, KIND) === "fused" ? "kernel" : ""}`;
    cell.textContent = (SIGN[how] || "") + word(t, OP);
    cell.style.width = `${wide - 4}px`; cell.style.height = `${high}px`; cell.style.fontSize = `${10 * zoom}px`;
    cell.style.transform = into && how === "fused" ? `translate(${(x + into[0]) / 2}px,${(top + into[1]) / 2}px)` : `translate(${x}px,${top}px)`;
  }
  mark();
}

function born(t) {
  const cell = make("div", graph, null, { "data-thing": t, role: "button", tabindex: -1 });
  cell.addEventListener("mouseenter", () => { if (tab === "node") pick(t); });
  cell.addEventListener("click", () => { pick(t); const step = stepOf(t); if (step >= 0) { open("kernels"); kernel(step); } else open("node"); });
  cells.set(t, cell);
  return cell;
}

function stepOf(t) {
  // What was fused is in the kernel that it ended in, at the last stage.
  let end = t;
  for (let k = now + 1; k < model.stages.length; k++) {
    const gone = model.stages[k].gone.find((g) => g[0] === end);
    if (gone && gone[2] === null) return -1;
    if (gone) end = gone[2];
  }
  return model.steps.findIndex((s) => s.thing === end);
}

function pick(t) { chosen = t; if (tab === "node") show(); mark(); }
function mark() {
  const words = search.value.trim().toLowerCase(), near = new Set(chosen === null ? [] : model.things[chosen][INPUTS]);
  cells.forEach((cell, t) => {
    cell.classList.toggle("lit", t === chosen);
    cell.classList.toggle("near", near.has(t) || (chosen !== null && model.things[t][INPUTS].includes(chosen)));
    cell.classList.toggle("dim", Boolean(words) && ![OP, TYPE, SCOPE, LINE].some((k) => word(t, k).toLowerCase().includes(words)));
  });
}

function select(which) {
  tab = which;
  document.querySelectorAll("nav button").forEach((b) => b.setAttribute("aria-selected", b.id === `tab-${which}`));
}
function open(which) { select(which); show(); }
function show() { panel.replaceChildren(); ({ node, rules, kernels, memory, time: timeline })[tab](); }

function table(rows, parent = panel) {
  const body = make("table", parent);
  for (const cellsOf of rows) { const tr = make("tr", body); cellsOf.forEach((c, i) => make(i ? "td" : "th", tr, c)); }
  return body;
}
function pickable(row, act) { row.className = "pick"; row.tabIndex = 0; row.addEventListener("click", act); row.addEventListener("keydown", (e) => { if (e.key === "Enter") act(); }); }

function node() {
  if (chosen === null) { make("p", panel, "Point at a node, or choose one with ↑ and ↓."); return; }
  const t = chosen, step = stepOf(t);
  make("h2", panel, word(t, OP));
  table([["type", word(t, TYPE)], ["line", word(t, LINE)], ["scope", word(t, SCOPE)], ["attributes", word(t, ATTRS)],
    ["bytes", bytes(model.things[t][BYTES])], ["operations", flops(model.things[t][FLOPS])],
    ["kernel", step < 0 ? "none: it is read through, or gone" : `${step}: ${model.steps[step].kernel}`]]);
}

function rules() {
  const stage = model.stages[now];
  make("h2", panel, `${stage.name}: ${stage.rules.reduce((n, r) => n + r[1], 0)} rewrites`);
  table(stage.rules.map(([name, n]) => [name, String(n)]));
  make("h3", panel, stage.firings.length ? "rewrites" : "no rule fired");
  for (const [name, what, where] of stage.firings) {
    const row = make("div", panel, `${name}: ${what}  [${where}]`);
    pickable(row, () => { const t = [...cells.keys()].find((c) => word(c, LINE).startsWith(where) && where); if (t !== undefined) { pick(t); cells.get(t).scrollIntoView({ block: "center" }); } row.classList.add("lit"); });
  }
}

function kernels() {
  make("h2", panel, `${model.steps.length} steps`);
  model.steps.forEach((s, k) => pickable(make("div", panel, `${k} ${s.kernel}: ${time(s.time_s)}, ${bytes(s.bytes)}, ${flops(s.flops)}`), () => kernel(k)));
}
function kernel(k) {
  select("kernels"); panel.replaceChildren();
  const step = model.steps[k];
  make("button", panel, "all kernels").addEventListener("click", () => open("kernels"));
  make("h2", panel, step.kernel).id = "kernel";
  table([["computes", step.work], ["lines", step.where], ["time", time(step.time_s)], ["bytes", bytes(step.bytes)], ["operations", flops(step.flops)]]);
  roofline(k);
  const names = new Set(step.work.split(" "));
  const apart = model.apart.filter((a) => [a.producer, a.consumer].some((n) => names.has(n.split(":")[0])));
  make("h3", panel, apart.length ? "not fused into it" : "nothing beside it was left apart");
  for (const a of apart.slice(0, 20)) make("p", panel, `${a.producer} and ${a.consumer}: ${a.reason}; ${bytes(a.bytes)} would be saved; ${a.advice}`);
  make("pre", panel, model.kernels[step.kernel] || "a copy of bytes").id = "source";
}
function roofline(k) {
  if (!model.host) { make("p", panel, "Its place under the roofline is known after program.profile(...)."); return; }
  // A step that did more than was measured shows that the machine can; shorter ones only show the clock.
  const reached = model.steps.filter((s) => s.time_s >= 1e-6 && s.flops).map((s) => s.flops / s.time_s);
  const bandwidth = model.host[0], peak = Math.max(model.host[1], ...reached), X = (i) => 30 + (Math.log10(i) + 3) * 50, Y = (p) => 170 - (Math.log10(p) - 6) * 25;
  const svg = make("svg", panel, null, { viewBox: "0 0 400 200", role: "img", "aria-label": "roofline" }), ridge = peak / bandwidth;
  make("path", svg, null, { class: "axis", d: `M${X(1e-3)},${Y(bandwidth * 1e-3)}L${X(ridge)},${Y(peak)}L390,${Y(peak)}` });
  make("text", svg, "operations a byte →", { x: 280, y: 195 }); make("text", svg, `peak ${flops(peak)}/s`, { x: 250, y: Y(peak) - 4 });
  model.steps.forEach((s, i) => {
    if (!s.time_s || !s.flops || !s.bytes) return;
    const dot = make("circle", svg, null, { class: i === k ? "this" : "mark", cx: X(s.flops / s.bytes), cy: Y(s.flops / s.time_s), r: i === k ? 5 : 2.5 });
    make("title", dot, `${s.kernel}: ${time(s.time_s)}`);
  });
}

function memory() {
  const m = model.memory;
  if (!m) { make("p", panel, "The reference has no memory plan."); return; }
  make("p", panel, `peak ${bytes(m.peak_bytes)}; at least ${bytes(m.bound_bytes)}; without planning ${bytes(m.unplanned_bytes)}; lost between buffers ${m.peak_bytes ? Math.round(100 * (1 - m.bound_bytes / m.peak_bytes)) : 0} %`);
  const last = Math.max(1, ...m.lives.map((l) => l.last + 1)), first = Math.min(last, ...m.lives.map((l) => l.first)), X = (s) => 5 + ((s - first) / (last - first || 1)) * 390, Y = (b) => 290 - (b / Math.max(m.peak_bytes, 1)) * 280;
  const svg = make("svg", panel, null, { viewBox: "0 0 400 310", role: "img", "aria-label": "addresses against time", id: "memory" });
  for (const l of m.lives) {
    const rect = make("rect", svg, null, { class: "life", x: X(l.first), y: Y(l.offset + l.bytes), width: Math.max(1, X(l.last + 1) - X(l.first)), height: Math.max(0.5, Y(l.offset) - Y(l.offset + l.bytes)) });
    make("title", rect, `${bytes(l.bytes)}, steps ${l.first} to ${l.last}: ${l.what}  [${l.where}]`);
  }
  make("text", svg, "address ↑, steps →", { x: 5, y: 305 });
  table(m.lives.slice().sort((a, b) => b.bytes - a.bytes).slice(0, 20).map((l) => [bytes(l.bytes), `${l.first} to ${l.last}`, l.what, l.where]));
}

function timeline() {
  make("h2", panel, model.wall_s === null ? "not profiled: call program.profile(...) first" : `one call: ${time(model.wall_s)}`);
  if (model.wall_s !== null) {
    const svg = make("svg", panel, null, { viewBox: "0 0 400 40", role: "img", "aria-label": "timeline", id: "timeline" });
    let from = 0;
    model.steps.forEach((s, k) => {
      const rect = make("rect", svg, null, { class: "life", x: 400 * from / model.wall_s, y: 5, width: Math.max(0.3, 400 * s.time_s / model.wall_s), height: 30 });
      make("title", rect, `${s.kernel}: ${time(s.time_s)}`); rect.addEventListener("click", () => kernel(k)); from += s.time_s;
    });
  }
  make("h3", panel, `compiling took ${time(model.compile_s)}; ${model.compiled.length} kernels came from the compiler`);
  table(model.stages.map((s) => [s.name, s.ms ? `${s.ms} ms` : ""]));
}

const theme = () => { const r = document.documentElement, dark = r.dataset.theme ? r.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; r.dataset.theme = dark ? "light" : "dark"; };
const walk = (by) => { const all = [...cells.keys()].sort((a, b) => a - b), k = all.indexOf(chosen); open("node"); pick(all[(k + by + all.length) % all.length]); cells.get(chosen).scrollIntoView({ block: "nearest" }); };
const KEYS = { ArrowRight: () => go(now + 1), ArrowLeft: () => go(now - 1), ArrowDown: () => walk(1), ArrowUp: () => walk(-1), "/": () => search.focus(), d: theme,
  "+": () => { zoom = Math.min(3, zoom * 1.25); layout(); }, "-": () => { zoom = Math.max(0.3, zoom / 1.25); layout(); }, Enter: () => { if (chosen !== null && stepOf(chosen) >= 0) kernel(stepOf(chosen)); } };
window.addEventListener("keydown", (e) => {
  if (e.key === "Escape") { search.value = ""; search.blur(); mark(); return; }
  if (["INPUT", "BUTTON"].includes(document.activeElement.tagName) || e.ctrlKey || e.metaKey || e.altKey) return;
  if (KEYS[e.key]) { e.preventDefault(); KEYS[e.key](); }
});
slider.addEventListener("input", () => go(Number(slider.value)));
search.addEventListener("input", mark); at("theme").addEventListener("click", theme);
window.addEventListener("resize", layout);
document.querySelectorAll("nav button").forEach((b) => b.addEventListener("click", () => open(b.id.slice(4))));
const packed = Uint8Array.from(atob(at("model").textContent), (c) => c.charCodeAt(0));
new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).json().then(start);
