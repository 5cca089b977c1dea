/* The page of a comparison: draws what lies in its data and follows the switches. */
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const looks = charts.looks(data.names ?? Object.keys(data.strategies));
  const find = (name) => document.getElementById(name);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
  const { units } = data;
  const scaled = (factor) => (values) => values.map((value) => (value === null ? null : factor * value));
  const gaps = scaled(units.gap), scores = scaled(units.score), percent = scaled(100);
  const labeled = (what, unit) => (unit ? `${what} (${unit})` : what);
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

  // Where horizontal axes begin: what the first trials find is luck, and its regret far above what follows.
  const trialFrom = () => (chosen("start") === "first" ? undefined : data.start);
  const budgetFrom = () => (trialFrom() === undefined ? undefined : data.start_cost);

  // Where there are many curves, the one at the pointer is lit.
  const near = (name) => Object.keys(looks).length > 4 && actions.light(name);

  const upward = () => (chosen("up") === "linear" ? { kind: "linear", from: 0 } : { kind: "log" });

  function regretOptions() {
    const byCost = chosen("over") === "cost";
    return {
      label: "Test regret", near,
      series: shown(data.strategies).map(byCost ? regretByCost : regretByTrials),
      x: { title: byCost ? units.paid : "trials", kind: chosen("across"), from: byCost ? budgetFrom() : trialFrom() },
      y: { title: labeled("test regret", units.gap_unit), ...upward(), usual: true },
      bands: !byCost && Boolean(chosen("bands")),
      stopTitle: (x) => (byCost ? `after ${charts.format(x)} ${units.cost}` : `after trial ${x}`),
      text: gapWithInterval,
    };
  }

  function rankOptions() {
    return {
      label: "Mean rank", near,
      series: shown(data.strategies).map(([name, numbers]) => (
        { ...looks[name], x: data.trials, y: numbers.mean_rank_over_trials })),
      x: { title: "trials", kind: chosen("across"), from: trialFrom() },
      y: { title: "mean rank (1 is best)", kind: "linear", reverse: true },
      height: 320,
      stopTitle: (x) => `after trial ${x}`,
      text: fixed(2),
    };
  }

  function spreadOptions() {
    const shares = (values) => values.map((_, n) => (100 * n) / (values.length - 1));
    return {
      label: "Spread of final regrets", apart: true, ascending: false, labels: false, height: 340, near,
      series: shown(data.strategies).map(([name, { regret_quantiles: values }]) => (
        { ...looks[name], x: gaps(values), y: shares(values) })),
      x: { title: labeled("regret after the last trial", units.gap_unit), kind: "linear" },
      y: { title: "runs (%) with at most that regret", kind: "linear", from: 0, to: 100 },
      stopTitle: (x) => `regret of at most ${charts.format(x)}`,
      text: (series, n) => `${series.y[n].toFixed(0)} % of runs`,
    };
  }

  function hypervolumeOptions() {
    const missing = (values) => percent(values.map((value) => 1 - value));
    const series = shown(data.fronts.strategies).map(([name, numbers]) => ({
      ...looks[name], x: data.fronts.points, y: missing(numbers.hypervolume_mean),
      low: missing(numbers.hypervolume_ci_high), high: missing(numbers.hypervolume_ci_low),
    }));
    return {
      label: "Missing hypervolume", series, bands: Boolean(chosen("bands")), near,
      x: { title: "trials", kind: chosen("across"), from: trialFrom() },
      y: { title: "missing hypervolume (% of the true front's)", ...upward(), usual: true },
      stopTitle: (x) => `after trial ${x}`, text: shareWithInterval,
    };
  }

  function front(points) {
    return { x: points.map(([size]) => size), y: scores(points.map(([, score]) => score)), step: true };
  }

  function frontOptions() {
    const { size, true: best, strategies } = data.fronts;
    const truth = { name: "true front", color: "var(--truth)", width: 4, ...front(best) };
    const found = shown(strategies).map(([name, numbers]) => (
      { ...looks[name], ...front(numbers.front), markers: true }));
    return { ...bySize(size, best), label: "Fronts", series: [truth, ...found] };
  }

  const bySize = (size, points) => ({
    ascending: false, near,
    x: { title: data.size_label, kind: points.every(([value]) => value > 0) ? "log" : "linear" },
    y: { title: labeled(`test ${units.metric}`, units.unit), kind: "linear" },
    stopTitle: (x) => `within ${charts.format(x)} ${data.fronts.unit || size}`,
    text: (series, n) => scoreText(series.y[n]),
  });

  // What a share of the runs had reached: a line for the half, thin ones for the quarters.
  function attainmentOptions() {
    const { size, true: best, strategies } = data.fronts;
    const truth = { name: "true front", color: "var(--truth)", width: 4, ...front(best) };
    const surfaces = shown(strategies).flatMap(([name, { attainment = {} }]) =>
      Object.entries(attainment).sort().map(([share, points]) => {
        const isHalf = Number(share) === 0.5;
        const label = isHalf ? name : `${name}, ${100 * share} % of runs`;
        return { ...looks[name], ...front(points), name: label, of: name, width: isHalf ? 1.8 : 0.8 };
      }));
    return { ...bySize(size, best), label: "Attainment", labels: false, series: [truth, ...surfaces] };
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
    histogram(find("scores-chart"), {
      label: "Distribution of scores", series, x: { title: labeled("mean score", units.unit) }, y: { title: "architectures" },
    });
  }

  function drawLandscape({ scores: found, fitness_distance: distance, autocorrelation: walk, fidelities }) {
    if (found) drawScores(found);
    if (distance) {
      oneLine("distance-chart", "mean score",
        { title: "moves to the best architecture", values: distance.distances },
        { title: labeled("mean validation score", units.unit), values: scores(distance.means) },
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
        { title: `fidelity (${units.fidelity})`, values: fidelities.values },
        { title: "rank correlation with the last", values: fidelities.spearman_with_last },
        (x) => `fidelity ${x}`);
    }
  }

  // Switches, and their state in the address, so that a link leads to what its sender saw.

  const SWITCHES = ["over", "start", "across", "up"];

  function redraw() {
    for (const { chart, options } of drawn) chart.update(options());
  }

  function written() {
    const state = new URLSearchParams();
    for (const name of SWITCHES) {
      const [first] = all(`input[name="${name}"]`);
      if (first && !first.checked) state.set(name, chosen(name));
    }
    if (find("bands") && !find("bands").checked) state.set("bands", "no");
    for (const box of all('input[name="strategy"]:not(:checked)')) state.append("without", box.value);
    history.replaceState(null, "", String(state) ? `#?${state}` : location.pathname + location.search);
  }

  function restore() {
    if (!location.hash.startsWith("#?")) return;
    const state = new URLSearchParams(location.hash.slice(2));
    for (const input of all(".controls input[type=radio]")) if (state.get(input.name) === input.value) input.checked = true;
    if (state.get("bands") === "no" && find("bands")) find("bands").checked = false;
    const without = new Set(state.getAll("without"));
    for (const box of all('input[name="strategy"]')) box.checked = !without.has(box.value);
  }

  function changed() {
    written();
    redraw();
  }

  function listen() {
    all("[data-swatch]").forEach((place) => place.replaceWith(charts.swatch(looks[place.dataset.swatch])));
    all('input[name="strategy"], .controls input').forEach((input) => input.addEventListener("change", changed));
    for (const chip of all("#switches label")) actions.lightFrom(chip, chip.querySelector("input").value);
    all("button[data-all]").forEach((button) => button.addEventListener("click", () => {
      all('input[name="strategy"]').forEach((box) => (box.checked = button.dataset.all === "true"));
      changed();
    }));
  }

  all(".screen-script, button[data-copy]").forEach((part) => (part.hidden = false));
  restore();
  listen();
  follow("regret-chart", charts.lineChart, regretOptions);
  follow("rank-chart", charts.lineChart, rankOptions);
  follow("spread-chart", charts.lineChart, spreadOptions);
  if (data.fronts) {
    follow("hypervolume-chart", charts.lineChart, hypervolumeOptions);
    follow("front-chart", charts.lineChart, frontOptions);
    follow("attainment-chart", charts.lineChart, attainmentOptions);
  }
  if (data.landscape) drawLandscape(data.landscape);
  if (data.overall) drawOverall(data.overall);
  if (data.tables) drawn.push(...drawSmall(data.tables, { labeled, looks, shown, near }));
  actions.listen(data);
})();
