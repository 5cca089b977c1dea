// What several tables show together: average ranks, and small curves of each table.
"use strict";

// Average ranks over tables: a dot and a line for each strategy; brackets join those that are not separated.
function drawOverall(overall) {
  const strategies = overall.strategies
    .map((name, n) => ({ name, rank: overall.average_rank[n] }))
    .sort((a, b) => a.rank - b.rank);
  const groups = (overall.groups ?? []).filter((group) => group.length > 1);
  const { holder } = charts.mount(document.getElementById("overall-chart"), (width) => {
    const left = Math.max(...strategies.map(({ name }) => charts.textWidth(name))) + 16;
    const right = width - 40 - 12 * groups.length;
    const x = charts.scale("linear", [1, Math.max(2, strategies.length)], [left, right], 1);
    const every = Math.ceil((24 * strategies.length) / (right - left));
    const ranks = strategies.map((_, n) => n + 1).filter((rank) => (rank - 1) % every === 0);
    const y = (n) => 70 + 24 * n;
    const bottom = y(strategies.length - 1) + 16;
    return charts.canvas(width, bottom + 6,
      charts.svg("text", { class: "axis-title", x: 0, y: 48 }, "average rank"),
      ...ranks.flatMap((rank) => rankTick(x(rank), rank, bottom)),
      ...strategies.flatMap((strategy, n) => rankRow(strategy, x, y(n), left)),
      ...groups.map((group, k) => bracket(group, strategies, y, right + 36 + 12 * k)),
      ...scaleBar(overall.critical_difference, x, width));
  });
  holder.setAttribute("role", "img");
  const said = strategies.map(({ name, rank }) => `${name} ${rank.toFixed(2)}`);
  holder.setAttribute("aria-label", `Average ranks: ${said.join(", ")}`);
}

const rankTick = (x, rank, bottom) => [
  charts.svg("line", { class: "grid", x1: x, x2: x, y1: 54, y2: bottom }),
  charts.svg("text", { class: "tick", x, y: 48, "text-anchor": "middle" }, String(rank)),
];

const rankRow = ({ name, rank }, x, y, left) => [
  charts.svg("text", { class: "label", x: left - 14, y: y + 4, "text-anchor": "end" }, name),
  charts.svg("line", { class: "grid", x1: left, x2: x(rank), y1: y, y2: y }),
  charts.svg("circle", { cx: x(rank), cy: y, r: 5, fill: charts.style(0).color }),
  charts.svg("text", { class: "tick", x: x(rank) + 9, y: y + 4 }, rank.toFixed(2)),
];

const outline = { fill: "none", stroke: "var(--ink)", "stroke-width": 1.8 };

function bracket(group, strategies, y, x) {
  const rows = group.map((name) => strategies.findIndex((strategy) => strategy.name === name));
  const [top, bottom] = [y(Math.min(...rows)) - 6, y(Math.max(...rows)) + 6];
  return charts.svg("path", { d: `M${x - 5} ${top}H${x}V${bottom}H${x - 5}`, ...outline });
}

// The critical difference as a length of the axis, cut where the axis ends; its text stands above, within the chart.
function scaleBar(difference, x, width) {
  if (!difference) return [];
  const text = `critical difference ${difference.toFixed(2)}`, start = x(1), end = Math.min(x(1 + difference), width - 2);
  const place = Math.max(0, Math.min(start, width - charts.textWidth(text) - 4));
  return [
    charts.svg("path", { d: `M${start} 20v6m0-3H${end}${end < width - 2 ? "m0-3v6" : ""}`, ...outline }),
    charts.svg("text", { class: "label", x: place, y: 13 }, text),
  ];
}

// A small chart of regret over trials for each table.
function drawSmall(tables, { labeled, looks, shown, near }) {
  const options = ({ strategies, trials, start, units }) => ({
    label: "Test regret", labels: false, compact: true, height: 210, near,
    series: shown(strategies).map(([name, y]) => ({ ...looks[name], x: trials, y: y.map((value) => units.gap * value) })),
    x: { title: "trials", kind: "log", from: start },
    y: { title: labeled("test regret", units.gap_unit), kind: "log", usual: true },
    stopTitle: (x) => `after trial ${x}`, text: (series, n) => charts.format(series.y[n]),
  });
  return tables.map((table, n) => {
    const chart = charts.lineChart(document.getElementById(`table-${n}`), options(table));
    return { chart, options: () => options(table) };
  });
}
