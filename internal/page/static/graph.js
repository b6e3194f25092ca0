// Asks PromQL and draws the answer: with completion, the limit of a rule, and
// the times in which it fired.

import { draw, figure, hue } from "./chart.js";

const form = document.getElementById("ask");
const expr = document.getElementById("expr");
const list = document.getElementById("words");
const legend = document.getElementById("legend");
const said = document.getElementById("said");
const most = 20; // series that are drawn
let plot;

const functions = ["sum", "rate", "increase", "histogram_quantile", "avg", "max", "min", "count", "topk", "by", "without", "avg_over_time", "max_over_time", "quantile", "irate", "delta", "deriv", "label_replace", "absent", "clamp_min", "round"];
let names = functions;

async function api(path, query) {
  const answer = await fetch(`api/v1/${path}`, { method: "POST", body: new URLSearchParams(query) });
  const { status, data, error } = await answer.json();
  if (status !== "success") throw new Error(error);
  return data;
}

/** Draws what the form asks for. */
async function ask(about) {
  if (!expr.value.trim()) return;
  const seconds = Number(document.getElementById("range").value);
  const end = Date.now() / 1000;
  const step = Math.max(Math.ceil(seconds / 300), 1);
  const range = { start: String(end - seconds), end: String(end), step: String(step) };
  try {
    const { result } = await api("query_range", { query: expr.value, limit: String(most + 1), ...range });
    const at = [];
    for (let t = end - seconds; t <= end; t += step) at.push(t);
    const index = (t) => Math.round((t - at[0]) / step);
    const last = (r) => Number(r.values.at(-1)[1]);
    const series = result.slice(0, most).sort((a, b) => last(b) - last(a)).map((r) => {
      const values = Array(at.length).fill(null);
      for (const [t, v] of r.values) if (index(t) in values && Number.isFinite(Number(v))) values[index(t)] = Number(v);
      const labels = Object.entries(r.metric).filter(([k]) => k !== "job" && k !== "instance");
      return { label: labels.map(([k, v]) => (k === "__name__" ? v : `${k}=${v}`)).join(" ").slice(0, 200), values };
    });
    const limit = Number.parseFloat(document.getElementById("limit").value.replace(",", "."));
    const unit = expr.value === about.expr ? about.unit : "";
    const bands = about.alert && expr.value === about.expr ? await fired(about.alert, range, step) : [];
    plot = draw(document.getElementById("chart"), { at, series, limit, bands, unit, lang: about.lang });
    said.textContent = result.length === 0 ? about.empty : result.length > most ? about.many : "";
    legend.replaceChildren(...series.map((s, i) => row(s, hue(i), unit, about.lang)));
  } catch (error) {
    said.textContent = error.message;
  }
}

/** When an alert fired: pairs of begin and end. */
async function fired(alert, range, step) {
  const { result } = await api("query_range", { query: `max(ALERTS{alertname=${JSON.stringify(alert)},alertstate="firing"})`, ...range });
  const spans = [];
  for (const [t] of result[0]?.values ?? []) {
    const last = spans.at(-1);
    if (last && t - last[1] <= step * 1.5) last[1] = t;
    else spans.push([t, t]);
  }
  return spans;
}

function row(series, colour, unit, lang) {
  const tr = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.className = "code";
  const dot = document.createElement("span");
  dot.className = "dot";
  dot.style.background = colour;
  name.append(dot, series.label || "{}");
  const value = document.createElement("td");
  value.className = "n";
  value.textContent = figure(series.values.findLast((v) => v !== null), unit, lang);
  tr.append(name, value);
  return tr;
}

/** The word before the caret. */
const word = () => expr.value.slice(0, expr.selectionStart).match(/[a-zA-Z_:][\w:]*$/)?.[0] ?? "";

function close() {
  list.hidden = true;
  expr.setAttribute("aria-expanded", "false");
  expr.removeAttribute("aria-activedescendant");
}

function complete(name) {
  const from = expr.selectionStart - word().length;
  expr.setRangeText(name, from, expr.selectionStart, "end");
  close();
  expr.focus();
}

function suggest() {
  const typed = word().toLowerCase();
  const found = typed.length < 2 ? [] : names.filter((n) => n.toLowerCase().includes(typed) && n !== typed).slice(0, 8);
  list.replaceChildren(...found.map((name, i) => {
    const option = document.createElement("li");
    option.id = `word-${i}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.textContent = name;
    option.addEventListener("mousedown", (event) => { event.preventDefault(); complete(name); });
    return option;
  }));
  list.hidden = found.length === 0;
  expr.setAttribute("aria-expanded", String(!list.hidden));
}

function move(by) {
  const options = [...list.children];
  const now = options.findIndex((o) => o.getAttribute("aria-selected") === "true");
  const next = options[(now + by + options.length) % options.length] ?? options[0];
  options.forEach((o) => o.setAttribute("aria-selected", String(o === next)));
  expr.setAttribute("aria-activedescendant", next.id);
}

if (form) {
  const about = JSON.parse(form.dataset.graph);
  fetch("api/v1/label/__name__/values?limit=5000").then((r) => r.json()).then((a) => { names = [...functions, ...a.data]; }).catch(() => {}); // without completion
  form.addEventListener("submit", (event) => { event.preventDefault(); close(); ask(about); });
  document.getElementById("range").addEventListener("change", () => ask(about));
  expr.addEventListener("input", suggest);
  expr.addEventListener("blur", close);
  expr.addEventListener("keydown", (event) => {
    const chosen = list.querySelector('[aria-selected="true"]');
    if (event.key === "Enter" && !event.shiftKey && (list.hidden || !chosen)) { event.preventDefault(); form.requestSubmit(); }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); }
    if ((event.key === "Enter" || event.key === "Tab") && chosen) { event.preventDefault(); complete(chosen.textContent); }
    if (event.key === "Escape") close();
  });
  document.getElementById("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(expr.value);
    said.textContent = about.copied;
  });
  document.getElementById("png").addEventListener("click", () => plot?.ctx.canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${about.alert || "graph"}.png`;
    link.click();
    URL.revokeObjectURL(link.href);
  }));
  addEventListener("resize", () => ask(about));
  ask(about);
}
