/* The page of a comparison: draws what lies in its data and follows the switches. */
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const looks = Object.fromEntries(Object.keys(data.strategies).map((name, n) => [name, { name, ...charts.style(n) }]));
  const find = (name) => document.getElementById(name);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const { svg } = charts;
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
  const { units } = data;
  const scaled = (factor) => (values) => values.map((value) => (value === null ? null : factor * value));
  const gaps = scaled(units.gap), scores = scaled(units.score), percent = scaled(100);
  const labelled = (what, unit) => (unit ? `${what} (${unit})` : what);
  const fixed = (digits) => (series, n) => series.y[n].toFixed(digits);
  // Values of other units than percent differ in size: the same number of significant digits.
  const digitsOf = (value, digits) => (units.is_percent ? value.toFixed(digits) : String(Number(value.toPrecision(digits + 2))));
  const scoreText = (value) => `${digitsOf(value, 2)} ${units.unit}`.trim();

  const gapWithInterval = (series, n) => interval(series, n, (value) => digitsOf(value, 3));
  const shareWithInterval = (series, n) => interval(series, n, (value) => value.toFixed(3));

  function interval(series, n, text) {
    const end = (values) => text(values[n]);
    return series.low ? `${end(series.y)} [${end(series.low)}, ${end(series.high)}]` : end(series.y);
  }

  // What is drawn: a list of { chart, options() }, drawn again when a switch changes.

  const drawn = [];

  function follow(name, draw, options) {
    if (find(name)) drawn.push({ chart: draw(find(name), options()), options });
  }

  function shown(numbers) {
    const on = new Set(all('input[name="strategy"]:checked').map((box) => box.value));
    return Object.entries(numbers).filter(([name]) => on.has(name));
  }

  function regretByTrials([name, numbers]) {
    const [y, low, high] = ["mean", "ci_low", "ci_high"].map((end) => gaps(numbers[`regret_${end}`]));
    return { ...looks[name], x: data.trials, y, low, high };
  }

  function regretByCost([name, numbers]) {
    return { ...looks[name], x: data.budget, y: gaps(numbers.regret_mean_by_cost) };
  }

  const upward = () => (chosen("up") === "linear" ? { kind: "linear", from: 0 } : { kind: "log" });

  function regretOptions() {
    const byCost = chosen("over") === "cost";
    return {
      label: "Test regret",
      series: shown(data.strategies).map(byCost ? regretByCost : regretByTrials),
      x: { title: byCost ? units.paid : "trials", kind: chosen("across") },
      y: { title: labelled("test regret", units.gap_unit), ...upward() },
      bands: !byCost && Boolean(chosen("bands")),
      stopTitle: (x) => (byCost ? `after ${charts.format(x)} ${units.cost}` : `after trial ${x}`),
      text: gapWithInterval,
    };
  }

  function rankOptions() {
    return {
      label: "Mean rank",
      series: shown(data.strategies).map(([name, numbers]) => (
        { ...looks[name], x: data.trials, y: numbers.mean_rank_over_trials })),
      x: { title: "trials", kind: chosen("across") },
      y: { title: "mean rank (1 is best)", kind: "linear", reverse: true },
      height: 320,
      stopTitle: (x) => `after trial ${x}`,
      text: fixed(2),
    };
  }

  function hypervolumeOptions() {
    const missing = (values) => percent(values.map((value) => 1 - value));
    const series = shown(data.fronts.strategies).map(([name, numbers]) => ({
      ...looks[name], x: data.fronts.points, y: missing(numbers.hypervolume_mean),
      low: missing(numbers.hypervolume_ci_high), high: missing(numbers.hypervolume_ci_low),
    }));
    return {
      label: "Missing hypervolume", series, bands: Boolean(chosen("bands")),
      x: { title: "trials", kind: chosen("across") },
      y: { title: "missing hypervolume (% of the true front's)", ...upward() },
      stopTitle: (x) => `after trial ${x}`, text: shareWithInterval,
    };
  }

  const SIZES = { parameters: "parameters", flops: "multiply-accumulates for one example" };

  function front(points) {
    return { x: points.map(([size]) => size), y: scores(points.map(([, score]) => score)), step: true };
  }

  function frontOptions() {
    const { size, true: best, strategies } = data.fronts;
    const truth = { name: "true front", color: "#8a949f", width: 4, ...front(best) };
    const found = shown(strategies).map(([name, numbers]) => (
      { ...looks[name], ...front(numbers.front), markers: true }));
    return {
      label: "Fronts", ascending: false, series: [truth, ...found],
      x: { title: SIZES[size] ?? size, kind: best.every(([value]) => value > 0) ? "log" : "linear" },
      y: { title: labelled(`test ${units.metric}`, units.unit), kind: "linear" },
      stopTitle: (x) => `within ${charts.format(x)} ${size}`,
      text: (series, n) => scoreText(series.y[n]),
    };
  }

  // The landscape: one series a chart.

  function oneLine(name, label, x, y, title, text = fixed(3)) {
    if (!find(name)) return;
    charts.lineChart(find(name), {
      label, labels: false, height: 240, stopTitle: title, text,
      series: [{ name: label, ...charts.style(0), markers: true, x: x.values, y: y.values }],
      x: { title: x.title, kind: "linear" }, y: { title: y.title, kind: "linear" },
    });
  }

  function drawScores(found) {
    const series = ["validation", "test"].filter((split) => found[split]).map((split, n) => ({
      name: split, color: charts.style(n).color, dash: n ? "5 3" : "",
      edges: scores(found[split].edges), counts: found[split].counts,
    }));
    charts.histogram(find("scores-chart"), {
      label: "Distribution of scores", series, x: { title: labelled("mean score", units.unit) }, y: { title: "architectures" },
    });
  }

  function drawLandscape({ scores: found, fitness_distance: distance, autocorrelation: walk, fidelities }) {
    if (found) drawScores(found);
    if (distance) {
      oneLine("distance-chart", "mean score",
        { title: "moves to the best architecture", values: distance.distances },
        { title: labelled("mean validation score", units.unit), values: scores(distance.means) },
        (x) => `distance ${x}`,
        (series, n) => `${scoreText(series.y[n])}, ${charts.format(distance.counts[n])} architectures`);
    }
    if (walk) {
      oneLine("walk-chart", "autocorrelation",
        { title: "steps", values: walk.lags }, { title: "autocorrelation", values: walk.values },
        (x) => `${x} steps`);
    }
    if (fidelities) {
      oneLine("fidelity-chart", "rank correlation",
        { title: "fidelity (epochs)", values: fidelities.values },
        { title: "rank correlation with the last", values: fidelities.spearman_with_last },
        (x) => `fidelity ${x}`);
    }
  }

  // Average ranks over tables: a dot and a line for each strategy; brackets join those that are not separated.

  function drawOverall(overall) {
    const strategies = overall.strategies
      .map((name, n) => ({ name, rank: overall.average_rank[n] }))
      .sort((a, b) => a.rank - b.rank);
    const groups = (overall.groups ?? []).filter((group) => group.length > 1);
    const { holder } = charts.mount(find("overall-chart"), (width) => {
      const left = Math.max(...strategies.map(({ name }) => charts.textWidth(name))) + 16;
      const right = width - 20 - 12 * groups.length;
      const x = charts.scale("linear", [1, Math.max(2, strategies.length)], [left, right], 1);
      const every = Math.ceil((24 * strategies.length) / (right - left));
      const ranks = strategies.map((_, n) => n + 1).filter((rank) => (rank - 1) % every === 0);
      const y = (n) => 52 + 24 * n;
      const bottom = y(strategies.length - 1) + 16;
      return charts.canvas(width, bottom + 6,
        svg("text", { class: "axis-title", x: 0, y: 30 }, "average rank"),
        ...ranks.flatMap((rank) => rankTick(x(rank), rank, bottom)),
        ...strategies.flatMap((strategy, n) => rankRow(strategy, x, y(n), left)),
        ...groups.map((group, k) => bracket(group, strategies, y, right + 24 + 12 * k)),
        ...scaleBar(overall.critical_difference, x));
    });
    holder.setAttribute("role", "img");
    const said = strategies.map(({ name, rank }) => `${name} ${rank.toFixed(2)}`);
    holder.setAttribute("aria-label", `Average ranks: ${said.join(", ")}`);
  }

  const rankTick = (x, rank, bottom) => [
    svg("line", { class: "grid", x1: x, x2: x, y1: 36, y2: bottom }),
    svg("text", { class: "tick", x, y: 30, "text-anchor": "middle" }, String(rank)),
  ];

  const rankRow = ({ name, rank }, x, y, left) => [
    svg("text", { class: "label", x: left - 14, y: y + 4, "text-anchor": "end" }, name),
    svg("line", { class: "grid", x1: left, x2: x(rank), y1: y, y2: y }),
    svg("circle", { cx: x(rank), cy: y, r: 5, fill: charts.style(0).color }),
    svg("text", { class: "tick", x: x(rank) + 9, y: y + 4 }, rank.toFixed(2)),
  ];

  const outline = { fill: "none", stroke: "#1c2127", "stroke-width": 1.8 };

  function bracket(group, strategies, y, x) {
    const rows = group.map((name) => strategies.findIndex((strategy) => strategy.name === name));
    const [top, bottom] = [y(Math.min(...rows)) - 6, y(Math.max(...rows)) + 6];
    return svg("path", { d: `M${x - 5} ${top}H${x}V${bottom}H${x - 5}`, ...outline });
  }

  function scaleBar(difference, x) {
    if (!difference) return [];
    const [start, end] = [x(1), x(1 + difference)];
    return [
      svg("path", { d: `M${start} 6v6m0-3H${end}m0-3v6`, ...outline }),
      svg("text", { class: "label", x: end + 6, y: 13 }, `critical difference ${difference.toFixed(2)}`),
    ];
  }

  // Switches

  function redraw() {
    for (const { chart, options } of drawn) chart.update(options());
  }

  function listen() {
    all("[data-swatch]").forEach((place) => place.replaceWith(charts.swatch(looks[place.dataset.swatch])));
    all('input[name="strategy"], .controls input').forEach((input) => input.addEventListener("change", redraw));
    all("button[data-all]").forEach((button) => button.addEventListener("click", () => {
      all('input[name="strategy"]').forEach((box) => (box.checked = button.dataset.all === "true"));
      redraw();
    }));
    all("button[data-copy]").forEach((button) => button.addEventListener("click", () => copy(button)));
    addEventListener("beforeprint", () => all("details").forEach((part) => (part.open = true)));
  }

  async function copy(button) {
    const source = find(button.dataset.copy);
    getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }

  all(".screen-script, button[data-copy]").forEach((part) => (part.hidden = false));
  listen();
  follow("regret-chart", charts.lineChart, regretOptions);
  follow("rank-chart", charts.lineChart, rankOptions);
  if (data.fronts) {
    follow("hypervolume-chart", charts.lineChart, hypervolumeOptions);
    follow("front-chart", charts.lineChart, frontOptions);
  }
  if (data.landscape) drawLandscape(data.landscape);
  if (data.overall) drawOverall(data.overall);
})();
