// Draws what the server put beside each chart. The numbers are there; this only paints them.
const drawn = new Map();

export function drawCharts(within) {
  const figures = within.querySelectorAll("[data-chart]");
  for (const [figure, chart] of drawn) {
    if (!figure.isConnected) {
      chart.dispose();
      drawn.delete(figure);
    }
  }
  for (const figure of figures) if (!drawn.has(figure)) draw(figure);
  if (figures.length) performance.mark("charts drawn");
}

export function redrawCharts() {
  for (const [figure, chart] of drawn) chart.setOption(options(read(figure)), true);
}

const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) drawn.get(entry.target.closest("[data-chart]"))?.resize();
});

// Where a bar leads: to its group and to its days, each as far as the server told them.
function address(told, series, place) {
  const at = told.x[place] ?? {};
  const leads = told.series[series]?.href ?? at.href;
  if (typeof leads !== "string" || !/^\/[^/\\]/.test(leads)) return null;
  const found = new URL(leads, location.origin);
  if (at.start) {
    found.searchParams.delete("range");
    found.searchParams.set("start", at.start);
    found.searchParams.set("end", at.end);
  }
  return found.pathname + found.search;
}

function read(figure) {
  return JSON.parse(figure.dataset.chart);
}

function draw(figure) {
  const canvas = figure.querySelector(".canvas");
  const told = read(figure);
  if (typeof echarts === "undefined") {
    canvas.textContent = "The chart could not be loaded; the table has the same numbers.";
    figure.dataset.drawn = "";
    return;
  }
  const chart = echarts.init(canvas, null, { renderer: "canvas" });
  chart.setOption(options(told));
  chart.on("click", (point) => {
    const leads = address(told, point.seriesIndex, point.dataIndex);
    if (leads) location.assign(leads);
  });
  drawn.set(figure, chart);
  sizes.observe(canvas);
  figure.dataset.drawn = "";
}

// A token's colour as it is now: a custom property alone would answer light-dark(...).
const probe = document.createElement("i");
probe.hidden = true;
document.documentElement.append(probe);

function token(name) {
  if (name === "--font") return getComputedStyle(document.body).fontFamily;
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function formatter(unit) {
  if (unit === "usd") return dollars;
  if (unit === "ms") return (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  return (value) => short.format(value);
}

function dollars(value) {
  if (value === 0) return "$0";
  const size = Math.abs(value);
  if (size >= 1e6) return `$${(value / 1e6).toFixed(2)} M`;
  if (size >= 1000) return `$${value.toLocaleString("en", { maximumFractionDigits: 0 })}`;
  if (size >= 1) return `$${Number.isInteger(value) ? value : value.toFixed(2)}`;
  return `$${Number(value.toPrecision(2))}`;
}

function options(told) {
  const format = formatter(told.unit);
  const ink = token("--ink-muted");
  const line = token("--line");
  const surface = token("--surface");
  const legend = told.legend !== false && told.series.length > 1;
  const colours = Array.from({ length: 8 }, (_, i) => token(`--series-${i + 1}`));
  let next = 0;
  const series = told.series.map((each) => {
    const colour = each.other ? token("--series-other") : colours[next++ % colours.length];
    const shared = { name: each.name, data: each.values, itemStyle: { color: colour }, cursor: each.href || told.x.some((x) => x.href) ? "pointer" : "default" };
    if (told.kind === "line")
      return { ...shared, type: "line", symbolSize: 5, showSymbol: told.x.length < 40, lineStyle: { width: 2, color: colour }, connectNulls: false };
    if (each.marked) shared.data = each.values.map((value, i) => (each.marked[i] ? { value, itemStyle: { color: token("--bad") } } : value));
    return { ...shared, type: "bar", stack: told.kind === "stacked" ? "all" : undefined, barMaxWidth: 44, barCategoryGap: "28%", itemStyle: { color: colour, borderColor: surface, borderWidth: told.x.length < 60 ? 0.5 : 0 } };
  });
  if (told.band) series.push(...band(told.band));
  return {
    animation: false,
    textStyle: { fontFamily: token("--font") },
    grid: { left: 8, right: 12, top: 12, bottom: legend ? 40 : 8, containLabel: true },
    legend: legend ? { bottom: 0, type: "scroll", textStyle: { color: ink, width: 160, overflow: "truncate" }, pageTextStyle: { color: ink }, pageIconColor: ink, icon: "roundRect", itemWidth: 10, itemHeight: 10 } : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      axisPointer: { type: told.kind === "line" ? "line" : "shadow" },
      backgroundColor: surface,
      borderColor: line,
      textStyle: { color: token("--ink") },
      confine: true,
      formatter: (points) => tip(told, points, format),
    },
    xAxis: { type: "category", data: told.x.map((x) => x.label), axisLabel: { color: ink, hideOverlap: true }, axisLine: { lineStyle: { color: line } }, axisTick: { show: false } },
    yAxis: { type: "value", axisLabel: { color: ink, formatter: format }, splitLine: { lineStyle: { color: line } }, splitNumber: 4 },
    series,
  };
}

// What was expected: a band between two lines, drawn as an invisible base with an area on it.
function band(told) {
  const hidden = { type: "line", stack: "band", symbol: "none", silent: true, lineStyle: { opacity: 0 }, tooltip: { show: false } };
  const height = told.upper.map((high, i) => (high === null ? null : high - told.lower[i]));
  const drawn = [
    { ...hidden, name: "", data: told.lower },
    { ...hidden, name: told.name, data: height, areaStyle: { color: token("--band"), opacity: 1 } },
  ];
  if (told.middle) drawn.push({ ...hidden, name: "", stack: undefined, data: told.middle, lineStyle: { color: token("--ink-muted"), width: 1, type: "dashed" } });
  return drawn;
}

function tip(told, points, format) {
  const shown = points.filter((point) => point.seriesIndex < told.series.length && point.value !== null && point.value !== undefined && point.value !== 0);
  const at = told.x[points[0].dataIndex];
  const lines = [at.full ?? at.label];
  const ordered = shown.sort((a, b) => b.value - a.value);
  for (const point of ordered.slice(0, 9)) lines.push(`${point.seriesName.slice(0, 40)}   ${format(point.value)}`);
  if (told.kind === "stacked" && ordered.length > 1)
    lines.push(`total   ${format(ordered.reduce((sum, point) => sum + point.value, 0))}`);
  if (told.band && told.band.upper[points[0].dataIndex] !== null)
    lines.push(`${told.band.name}   ${format(told.band.lower[points[0].dataIndex])} – ${format(told.band.upper[points[0].dataIndex])}`);
  if (!ordered.length) lines.push("nothing");
  return lines.join("\n").replace(/[{}|]/g, " ");
}
