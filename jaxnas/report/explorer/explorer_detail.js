// What the explorer says of the selected architecture: numbers, cell, decisions, curves, neighbors.
"use strict";

function makeDetail({ arrays, space, scores }, state, select) {
  let curves = null;
  const operationNames = [...new Set(facts.decisions.flatMap(({ values }) => values))];
  return { show };

  function show() {
    const { row } = state, number = space.classOf[row], focused = document.activeElement;
    const walking = byId("neighbors").contains(focused), within = byId("numbers").contains(focused);
    byId("detail-title").textContent = `Architecture ${whole(row)}`;
    byId("text").replaceChildren(...breakable(space.text(row)));
    byId("numbers").replaceChildren(...pairs(numbersOf(row, number)));
    byId("cell").replaceChildren(facts.cell
      ? drawCell(facts.cell, [...space.decoded(row).values()], operationNames)
      : drawGraph(facts.graph, ...space.graph(row)));
    byId("choices").replaceChildren(...pairs([...space.decoded(row)]));
    showCurves(number);
    showNeighbors(row, number);
    // what had the focus is gone: a walk continues from the best neighbor
    if (walking) byId("neighbors").querySelector("button")?.focus({ preventScroll: true });
    if (within) byId("detail").focus({ preventScroll: true });
  }

  function numbersOf(row, number) {
    const ofSplit = (split) => {
      const spread = deviation(scores.ofSeeds(split, number));
      const mean = scores.mean[split][number];
      if (!Number.isFinite(mean) || !Number.isFinite(spread)) return scoreText(mean);
      return `${numberText(units.score * mean)} ± ${gapText(spread)} ${units.unit}`.trim();
    };
    const rank = scores.rank[state.split][number];
    return [
      ["validation", ofSplit("validation")],
      ["test", ofSplit("test")],
      [`rank by ${state.split}`, Number.isFinite(rank) ? `${whole(rank)} of ${whole(facts.num_trained)}` : "none"],
      ...facts.sizes.map((name) => [sizeName(name), sizeText(arrays[name][number])]),
      ...(arrays.class_of ? [["class", classText(row, number)]] : []),
    ];
  }

  function classText(row, number) {
    const first = space.representatives[number], count = space.members[number];
    if (count === 1) return "this architecture alone";
    const text = `${whole(count)} architectures compute the same`;
    if (row === first) return `${text}; this one was trained`;
    return charts.html("span", {}, `${text}; trained was `, button(whole(first), () => select(first), { class: "link" }));
  }

  function showCurves(number) {
    if (facts.fidelities.length < 2) return;
    const names = facts.fidelity_names;
    const seeds = facts.seeds.map((seed, position) => ({
      name: `seed ${seed}`, ...charts.style(position), width: 1.3, x: facts.fidelities,
      y: facts.fidelities.map((_, epoch) => scores.value("validation", number, position, epoch)),
    }));
    const mean = {
      name: "mean", color: "var(--ink)", width: 2.6, x: facts.fidelities,
      y: facts.fidelities.map((_, epoch) => average(scores.ofSeeds("validation", number, epoch))),
    };
    const finite = (each) => ({ ...each, y: each.y.map((value) => (Number.isFinite(value) ? value : null)) });
    const series = (seeds.length > 1 ? [...seeds, mean] : seeds).map(finite).filter((each) => each.y.some((y) => y !== null));
    curves ??= charts.lineChart(byId("curves"), {
      label: `Validation ${units.metric} over ${names ? "fidelities" : "epochs"}`, series, height: 260, labels: false, ascending: false,
      x: { title: names ? units.cost : "epoch", kind: "linear", format: names ? tickText : whole, whole: !names && facts.fidelities.every(Number.isInteger) }, y: { title: scoreTitle("validation"), kind: "linear", format: tickText },
      stopTitle: (x) => (names ? names[facts.fidelities.indexOf(x)] : `epoch ${x}`), text: (each, n) => scoreText(each.y[n]),
    });
    curves.update({ series });
  }

  function showNeighbors(row, number) {
    const values = scores.mean[state.split], own = values[number];
    const others = space.neighbors(row).map((other) => ({ row: other, value: values[space.classOf[other]] }));
    const height = (value) => (Number.isFinite(value) ? value : -Infinity);
    others.sort((a, b) => height(b.value) - height(a.value) || a.row - b.row);
    const better = others.filter(({ value }) => value > own).length;
    const same = others.filter((other) => space.classOf[other.row] === number).length;
    const found = better ? `${whole(better)} better` : "none better";
    const optimum = !better && Number.isFinite(own) ? ", a local optimum" : "";
    const equal = same ? `; ${whole(same)} of the same class` : "";
    byId("neighbors-note").textContent =
      `${whole(others.length)} neighbors, each with one decision changed: ${found} by ${state.split}${optimum}${equal}.`;
    const lines = others.map(({ row: other, value }) => {
      const direction = value > own ? "up" : value < own ? "down" : "";
      return charts.html("tr", {},
        charts.html("td", {}, button(changeText(row, other), () => select(other), { "data-row": other })),
        charts.html("td", {}, scoreText(value)),
        charts.html("td", { class: direction }, differenceText(value - own)));
    });
    const headings = ["change", state.split, "difference"].map((text) => charts.html("th", { scope: "col" }, text));
    byId("neighbors").replaceChildren(charts.html("table", {},
      charts.html("thead", {}, charts.html("tr", {}, ...headings)), charts.html("tbody", {}, ...lines)));
    byId("neighbors").scrollTop = 0;
  }

  function changeText(row, other) {
    const before = space.decoded(row), after = space.decoded(other);
    const names = [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
    return names.map((name) => `${name}: ${before.get(name) ?? "absent"} → ${after.get(name) ?? "absent"}`).join("; ");
  }

  function pairs(entries) {
    return entries.flatMap(([name, value]) => [charts.html("dt", {}, name), charts.html("dd", {}, value)]);
  }
}
