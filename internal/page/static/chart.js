// Draws lines over time with uPlot, in the colours of the page.

/** @typedef {{at: number[], series: {values: (number|null)[]}[], unit?: string, limit?: number|null, bands?: [number, number][], lang: string}} Chart */

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hues = ["#5a8fd0", "#e8792b", "#3aa675", "#b565c9", "#c9a227", "#d1495b", "#4fb3bf", "#8a8f98"];
const drawn = new Map();

/** The colour of the series at a place. */
export const hue = (i) => hues[i % hues.length];

/** Writes a figure in its unit, with three digits that matter. */
export function figure(v, unit, lang) {
  if (!Number.isFinite(v)) return "–";
  const n = (x) => new Intl.NumberFormat(lang, { maximumSignificantDigits: 3 }).format(x);
  if (unit === "%") return `${n(v * 100)} %`;
  if (unit === "s") return v > 0 && v < 0.9995 ? `${n(v * 1000)} ms` : `${n(v)} s`;
  return Math.abs(v) >= 1e6 ? new Intl.NumberFormat(lang, { notation: "compact", maximumSignificantDigits: 3 }).format(v) : n(v);
}

/** Draws a chart in an element, in place of the one before. @param {HTMLElement} box @param {Chart} chart */
export function draw(box, chart) {
  const short = chart.at.at(-1) - chart.at[0] < 600;
  const time = new Intl.DateTimeFormat(chart.lang, { hour: "2-digit", minute: "2-digit", second: short ? "2-digit" : undefined, hourCycle: "h23" });
  drawn.get(box)?.destroy();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--faint"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const most = Math.max(0, ...[chart.limit, ...chart.series.flatMap((s) => s.values)].filter(Number.isFinite));
  const plot = new uPlot({
    width: Math.max(box.clientWidth, 200), height: Math.max(box.clientHeight, 120),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, low) => [Math.min(0, low ?? 0), most * 1.08 || 1] } },
    axes: [{ ...axis, size: 34, gap: 10, space: short ? 90 : 60, values: (_, ticks) => ticks.map((t) => time.format(new Date(t * 1000))) },
      { ...axis, size: 64, values: (_, ticks) => ticks.map((t) => figure(t, chart.unit, chart.lang)) }],
    series: [{}, ...chart.series.map((s, i) => ({ stroke: hue(i), width: 1.6, points: { show: s.values.filter((v) => v !== null).length < 3 } }))],
    hooks: { drawClear: [(u) => bands(u, chart.bands ?? [])], draw: [(u) => limit(u, chart.limit)] },
  }, [chart.at, ...chart.series.map((s) => s.values)], box);
  drawn.set(box, plot);
  return plot;
}

/** Draws a limit as a line across. */
function limit(u, value) {
  if (!Number.isFinite(value)) return;
  const y = Math.round(u.valToPos(value, "y", true));
  const { left, width } = u.bbox;
  u.ctx.save();
  u.ctx.strokeStyle = colour("--bad");
  u.ctx.lineWidth = 2;
  u.ctx.setLineDash([8, 6]);
  u.ctx.beginPath();
  u.ctx.moveTo(left, y);
  u.ctx.lineTo(left + width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

/** Shades the times in which an alert fired. */
function bands(u, list) {
  u.ctx.save();
  u.ctx.fillStyle = colour("--bad");
  u.ctx.globalAlpha = 0.12;
  for (const [from, to] of list) {
    const x = u.valToPos(from, "x", true);
    u.ctx.fillRect(x, u.bbox.top, Math.max(u.valToPos(to, "x", true) - x, 2), u.bbox.height);
  }
  u.ctx.restore();
}

/** Draws every chart whose data the page has in it. */
function all() {
  for (const box of document.querySelectorAll("[data-chart]")) {
    const chart = JSON.parse(box.dataset.chart);
    if (chart.at.length > 1) draw(box, chart);
  }
}

addEventListener("resize", all);
document.addEventListener("live", all);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
all();
