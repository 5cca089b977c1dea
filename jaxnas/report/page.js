/* The page of a comparison: draws what lies in its data and follows the switches. */
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const looks = Object.fromEntries(Object.keys(data.strategies).map((name, n) => [name, { name, ...charts.style(n) }]));
  const find = (name) => document.getElementById(name);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
  const percent = (values) => values.map((value) => (value === null ? null : 100 * value));
  const fixed = (digits) => (series, n) => series.y[n].toFixed(digits);

  function withInterval(series, n) {
    const end = (values) => values[n].toFixed(3);
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
    const [y, low, high] = ["mean", "ci_low", "ci_high"].map((end) => percent(numbers[`regret_${end}`]));
    return { ...looks[name], x: data.trials, y, low, high };
  }

  function regretByCost([name, numbers]) {
    return { ...looks[name], x: data.budget, y: percent(numbers.regret_mean_by_cost) };
  }

  function regretOptions() {
    const byCost = chosen("over") === "cost";
    return {
      label: "Test regret",
      series: shown(data.strategies).map(byCost ? regretByCost : regretByTrials),
      x: { title: byCost ? "epochs of training paid for" : "trials", kind: chosen("across") },
      y: { title: "test regret (percentage points)", kind: chosen("up"), from: chosen("up") === "linear" ? 0 : undefined },
      bands: !byCost && Boolean(chosen("bands")),
      stopTitle: (x) => (byCost ? `after ${charts.format(x)} epochs` : `after trial ${x}`),
      text: withInterval,
    };
  }

  function rankOptions() {
    return {
      label: "Mean rank",
      series: shown(data.strategies).map(([name, numbers]) => ({ ...looks[name], x: data.trials, y: numbers.mean_rank_over_trials })),
      x: { title: "trials", kind: chosen("across") },
      y: { title: "mean rank (1 is best)", kind: "linear", reverse: true },
      height: 320,
      stopTitle: (x) => `after trial ${x}`,
      text: fixed(2),
    };
  }

  function hypervolumeOptions() {
    const missing = (values) => values.map((value) => 100 * (1 - value));
    const series = shown(data.fronts.strategies).map(([name, numbers]) => ({
      ...looks[name], x: data.fronts.points, y: missing(numbers.hypervolume_mean),
      low: missing(numbers.hypervolume_ci_high), high: missing(numbers.hypervolume_ci_low),
    }));
    return {
      label: "Missing hypervolume", series, bands: Boolean(chosen("bands")),
      x: { title: "trials", kind: chosen("across") },
      y: { title: "missing hypervolume (% of the true front's)", kind: chosen("up"), from: chosen("up") === "linear" ? 0 : undefined },
      stopTitle: (x) => `after trial ${x}`, text: withInterval,
    };
  }

  function frontOptions() {
    const pairs = (points) => ({ x: points.map(([size]) => size), y: points.map(([, score]) => 100 * score), step: true, markers: true });
    const truth = { name: "true front", color: "#8a949f", width: 4, ...pairs(data.fronts.true), markers: false };
    const size = { parameters: "parameters", flops: "multiply-accumulates for one image" }[data.fronts.size];
    return {
      label: "Fronts", ascending: false,
      series: [truth, ...shown(data.fronts.strategies).map(([name, numbers]) => ({ ...looks[name], ...pairs(numbers.front) }))],
      x: { title: size, kind: data.fronts.true.every(([value]) => value > 0) ? "log" : "linear" },
      y: { title: "test accuracy (%)", kind: "linear" },
      stopTitle: (x) => `within ${charts.format(x)} ${data.fronts.size}`,
      text: (series, n) => `${series.y[n].toFixed(2)} %`,
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

  function drawLandscape({ scores, fitness_distance: distance, autocorrelation: walk, fidelities }) {
    if (find("scores-chart")) {
      const series = ["validation", "test"].filter((split) => scores[split]).map((split, n) => ({
        name: split, ...charts.style(n), dash: n ? "5 3" : "", edges: percent(scores[split].edges), counts: scores[split].counts,
      }));
      charts.histogram(find("scores-chart"), { label: "Distribution of scores", series, x: { title: "mean score (%)" }, y: { title: "architectures" } });
    }
    if (distance) oneLine("distance-chart", "mean score", { title: "decisions that differ from the best", values: distance.distances },
      { title: "mean validation score (%)", values: percent(distance.means) }, (x) => `distance ${x}`,
      (series, n) => `${series.y[n].toFixed(2)} %, ${charts.format(distance.counts[n])} architectures`);
    if (walk) oneLine("walk-chart", "autocorrelation", { title: "steps", values: walk.lags }, { title: "autocorrelation", values: walk.values }, (x) => `${x} steps`);
    if (fidelities) oneLine("fidelity-chart", "rank correlation", { title: "fidelity (epochs)", values: fidelities.values },
      { title: "rank correlation with the last", values: fidelities.spearman_with_last }, (x) => `fidelity ${x}`);
  }

  // Average ranks over tables: a dot a strategy on a line of its own; brackets join those that are not separated.

  function drawOverall(overall) {
    const order = overall.average_rank.map((rank, n) => n).sort((a, b) => overall.average_rank[a] - overall.average_rank[b]);
    const names = order.map((n) => overall.strategies[n]);
    const ranks = order.map((n) => overall.average_rank[n]);
    const { svg } = charts;
    const groups = (overall.groups ?? []).filter((group) => group.length > 1);
    const { holder } = charts.mount(find("overall-chart"), (width) => {
      const left = Math.max(...names.map(charts.textWidth)) + 16;
      const right = width - 20 - 12 * groups.length;
      const x = (rank) => left + ((rank - 1) / Math.max(1, names.length - 1)) * (right - left);
      const y = (n) => 52 + 24 * n;
      const bottom = y(names.length - 1) + 16;
      const line = (attributes) => svg("line", attributes);
      const every = Math.ceil((names.length * 24) / (right - left));
      const ticks = names.map((_, n) => n + 1).filter((rank) => (rank - 1) % every === 0);
      return charts.canvas(width, bottom + 6,
        ...ticks.flatMap((rank) => [
          line({ class: "grid", x1: x(rank), x2: x(rank), y1: 36, y2: bottom }),
          svg("text", { class: "tick", x: x(rank), y: 30, "text-anchor": "middle" }, String(rank)),
        ]),
        svg("text", { class: "axis-title", x: 0, y: 30 }, "average rank"),
        ...names.flatMap((name, n) => [
          svg("text", { class: "label", x: left - 14, y: y(n) + 4, "text-anchor": "end" }, name),
          line({ class: "grid", x1: left, x2: x(ranks[n]), y1: y(n), y2: y(n) }),
          svg("circle", { cx: x(ranks[n]), cy: y(n), r: 5, fill: charts.style(0).color }),
          svg("text", { class: "tick", x: x(ranks[n]) + 9, y: y(n) + 4 }, ranks[n].toFixed(2)),
        ]),
        ...groups.map((group, k) => {
          const rows = group.map((name) => names.indexOf(name));
          const [top, end, at] = [y(Math.min(...rows)) - 6, y(Math.max(...rows)) + 6, right + 24 + 12 * k];
          return svg("path", { d: `M${at - 5} ${top}H${at}V${end}H${at - 5}`, fill: "none", stroke: "#1c2127", "stroke-width": 2 });
        }),
        ...scaleBar(overall.critical_difference, x));
    });
    holder.setAttribute("role", "img");
    holder.setAttribute("aria-label", `Average ranks: ${names.map((name, n) => `${name} ${ranks[n].toFixed(2)}`).join(", ")}`);
  }

  function scaleBar(difference, x) {
    if (!difference) return [];
    const [start, end] = [x(1), x(1 + difference)];
    return [
      charts.svg("path", { d: `M${start} 6v6m0-3H${end}m0-3v6`, fill: "none", stroke: "#1c2127", "stroke-width": 1.5 }),
      charts.svg("text", { class: "label", x: end + 6, y: 13 }, `critical difference ${difference.toFixed(2)}`),
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
