// The parts of the explorer: filter, plot, details of an architecture, list of classes. Each is given what is known
// (arrays, space, scores, axes), the page's state, and the function that selects a row.
"use strict";

const PAGE_SIZE = 25;
const MATCHING = "#0072b2", OTHER = "#b4bac1";
const byId = (id) => document.getElementById(id);
const whole = (value) => Math.round(value).toLocaleString("en");

function scoreText(value, digits = 2) {
  if (!Number.isFinite(value)) return "none";
  return facts.percent ? `${(100 * value).toFixed(digits)} %` : String(Number(value.toPrecision(digits + 3)));
}

const shortScore = (value) => (facts.percent ? `${Number((100 * value).toFixed(2))} %` : charts.format(value));

function differenceText(value) {
  if (!Number.isFinite(value)) return "";
  const size = facts.percent ? Math.abs(100 * value).toFixed(2) : scoreText(Math.abs(value));
  return `${value < 0 ? "−" : "+"}${size}`;
}

function button(text, press, attributes = {}) {
  const made = charts.html("button", { type: "button", ...attributes }, ...[text].flat());
  made.addEventListener("click", press);
  return made;
}

function spoken({ space, scores }, { split }, row) {
  const number = space.classOf[row];
  return `Row ${whole(row)}, ${split} ${scoreText(scores.mean[split][number])}, rank ${whole(scores.rank[split][number])}: ${space.text(row)}`;
}

// Text that may be broken after some marks, by default those between the parts of an architecture's name.
function breakable(text, after = /(?<=[|+/])/) {
  return text.split(after).flatMap((part) => [part, charts.html("wbr")]);
}

// A check box for each value of each decision: neighbouring decisions with the same values as the rows of a table,
// any other as a line of its own.
function makeFilter(allowed, changed) {
  const boxes = facts.decisions.map((decision, number) => decision.values.map((value, position) => {
    const box = charts.html("input", { type: "checkbox", "data-decision": number, "data-value": position });
    box.addEventListener("change", () => change([[number, position]], box.checked));
    return box;
  }));
  const toggles = [];

  function change(places, on) {
    for (const [number, position] of places) allowed[number][position] = on;
    refresh();
    changed();
  }

  function refresh() {
    boxes.forEach((row, number) => row.forEach((box, position) => (box.checked = allowed[number][position])));
    toggles.forEach((each) => each());
  }

  // A button that switches its places off where all are on, and on otherwise; without a text of its own it says so.
  function toggle(places, name, text) {
    const areOn = () => places.every(([number, position]) => allowed[number][position]);
    const made = button("", () => change(places, !areOn()));
    toggles.push(() => {
      const does = areOn() ? "clear" : "all";
      made.replaceChildren(...breakable(text ?? does, /(?<=_)/));
      made.setAttribute("aria-label", `${does} ${name}`);
    });
    return made;
  }

  const placesOf = (number) => facts.decisions[number].values.map((_, position) => [number, position]);

  function line(number) {
    const { name, values } = facts.decisions[number];
    const labels = values.map((value, position) => charts.html("label", {}, boxes[number][position], value));
    const clear = toggle(placesOf(number), name);
    return charts.html("fieldset", { class: "chips" }, charts.html("legend", {}, name), ...labels, clear);
  }

  function table(numbers) {
    const { values } = facts.decisions[numbers[0]];
    const headings = values.map((value, position) => {
      const places = numbers.map((number) => [number, position]);
      return charts.html("th", { scope: "col" }, toggle(places, value, value));
    });
    const rows = numbers.map((number) => {
      const { name } = facts.decisions[number];
      boxes[number].forEach((box, position) => box.setAttribute("aria-label", `${name}: ${values[position]}`));
      const cells = boxes[number].map((box) => charts.html("td", {}, charts.html("label", {}, box)));
      const clear = charts.html("td", {}, toggle(placesOf(number), name));
      return charts.html("tr", {}, charts.html("th", { scope: "row" }, name), ...cells, clear);
    });
    const head = charts.html("tr", {}, charts.html("th", { scope: "col" }, "decision"), ...headings, charts.html("td"));
    return charts.html("table", { class: "switches" }, charts.html("thead", {}, head), charts.html("tbody", {}, ...rows));
  }

  byId("decisions").append(...decisionGroups().map((numbers) => (numbers.length > 1 ? table(numbers) : line(numbers[0]))));
  byId("reset").addEventListener("click", () => change([...boxes.keys()].flatMap(placesOf), true));
  refresh();
}

// The numbers of the decisions, those together that follow each other and have the same few values.
function decisionGroups() {
  const groups = [];
  facts.decisions.forEach(({ values }, number) => {
    const before = number > 0 && facts.decisions[number - 1].values;
    if (before && values.length <= 8 && String(values) === String(before)) groups.at(-1).push(number);
    else groups.push([number]);
  });
  return groups;
}

// The plot: points on a canvas, everything else in SVG above it.
function makePlot({ arrays, space, scores, axes }, state, select) {
  let view = null;
  const { holder, redraw } = charts.mount(byId("chart"), draw);
  const hover = charts.html("div", { class: "readout floating screen-only", "aria-hidden": "true", hidden: "" });
  byId("chart").append(hover);
  for (const [name, value] of Object.entries({
    id: "plot", tabindex: 0, role: "application", "aria-label": "Scatter plot of all classes", "aria-describedby": "plot-help",
  })) holder.setAttribute(name, value);
  holder.addEventListener("pointermove", (event) => point(nearest(event)));
  holder.addEventListener("pointerleave", () => point(-1));
  holder.addEventListener("click", (event) => choose(nearest(event)));
  holder.addEventListener("keydown", press);
  return { draw: redraw, mark };

  function draw(width) {
    const height = Math.round(Math.min(560, Math.max(320, width * 0.66)));
    const axis = axes[state.against], xs = axis.of(state.split), ys = scores.mean[state.split];
    const ranked = scores.order[state.split], visible = ranked.slice(0, Math.max(2, Math.ceil(ranked.length * state.zoom)));
    const area = charts.areaOf(width, height);
    const range = charts.domain(visible.map((number) => xs[number]), "linear");
    const kind = range[0] > 0 && range[1] / range[0] > 30 && state.against !== "rank" ? "log" : "linear";
    const toX = charts.scale(kind, charts.padded(range, kind), [area.left, area.right], area.right / 110);
    const low = footOf(visible.map((number) => ys[number]));
    const toY = charts.scale("linear", charts.padded([low, ys[ranked[0]]], "linear"), [area.bottom, area.top], 6);
    const spread = spreadOf(visible.map((number) => xs[number]), toX);
    const placeOf = (number) => [toX(xs[number]) + spread * shift(number), toY(Math.max(ys[number], low))];
    const places = new Map(visible.map((number) => [number, placeOf(number)]));
    const titles = { xTitle: axis.title, yTitle: `${state.split} ${facts.metric}`, xFormat: axis.text, yFormat: shortScore };
    const marks = charts.svg("g", {}), pointed = charts.svg("circle", { class: "pointed", r: 6, visibility: "hidden" });
    view = { width, places, visible, marks, pointed };
    mark();
    showNotes(spread, visible.filter((number) => ys[number] < low).length);
    document.documentElement.dataset.drawn ??= Math.round(performance.now());
    const layers = document.createDocumentFragment();
    layers.append(
      charts.canvas(width, height, charts.frame(area, width, height, toX, toY, titles)),
      drawnPoints(width, height, places, visible),
      charts.canvas(width, height, ...frontOf(xs, ys, visible, toX, toY, area), marks, pointed));
    return layers;
  }

  function showNotes(spread, numBelow) {
    const below = `${whole(numBelow)} ${numBelow === 1 ? "class" : "classes"} of lower scores ${numBelow === 1 ? "is" : "are"} drawn at the foot.`;
    byId("plot-notes").textContent = [spread ? "Points of one size are spread sideways." : "", numBelow ? below : ""].join(" ");
  }

  function drawnPoints(width, height, places, visible) {
    const sharp = window.devicePixelRatio > 1 ? 2 : 1;
    const canvas = charts.html("canvas", { "aria-hidden": "true", width: width * sharp, height: height * sharp });
    const context = canvas.getContext("2d");
    context.scale(sharp, sharp);
    const radius = visible.length > 8000 ? 2.2 : visible.length > 600 ? 2.8 : 4;
    for (const [wanted, color, alpha] of [[0, OTHER, 0.45], [1, MATCHING, 0.4]]) {
      const stamp = stampOf(radius, sharp, color);
      context.globalAlpha = alpha;
      for (const number of visible) {
        if (state.matches[number] !== wanted) continue;
        const [x, y] = places.get(number);
        context.drawImage(stamp, x - radius - 1, y - radius - 1, 2 * radius + 2, 2 * radius + 2);
      }
    }
    return canvas;
  }

  // The best score of classes of at most a size, where the axis is a size.
  function frontOf(xs, ys, visible, toX, toY, area) {
    if (!arrays[state.against]) return [];
    let best = -Infinity, path = "";
    for (const number of [...visible].sort((a, b) => xs[a] - xs[b] || ys[b] - ys[a])) {
      if (ys[number] <= best) continue;
      best = ys[number];
      path += path ? `H${toX(xs[number]).toFixed(1)}V${toY(best).toFixed(1)}` : `M${toX(xs[number]).toFixed(1)} ${toY(best).toFixed(1)}`;
    }
    return [charts.svg("path", { class: "front", d: `${path}H${area.right}` })];
  }

  // The selected class and the neighbours of the selected architecture.
  function mark() {
    if (!view) return;
    const own = space.classOf[state.row];
    const others = new Set(space.neighbors(state.row).map((row) => space.classOf[row]));
    others.delete(own);
    const squares = [...others].filter((number) => view.places.has(number)).map((number) => {
      const [x, y] = view.places.get(number);
      return charts.svg("rect", { class: "neighbor", x: x - 4, y: y - 4, width: 8, height: 8, "data-class": number });
    });
    view.marks.replaceChildren(...squares, ...(view.places.has(own) ? [diamond(own, ...view.places.get(own))] : []));
  }

  function diamond(number, x, y) {
    return charts.svg("path", { class: "selected", d: `M${x} ${y - 9}l9 9l-9 9l-9 -9z`, "data-class": number, "data-x": x, "data-y": y });
  }

  // The class whose point is nearest to the pointer, one that matches before another; -1 where none is near.
  function nearest(event) {
    const bounds = holder.getBoundingClientRect();
    const px = event.clientX - bounds.left, py = event.clientY - bounds.top;
    let best = -1, closest = 24 ** 2;
    for (const number of view.visible) {
      const [x, y] = view.places.get(number);
      const distance = (x - px) ** 2 + (y - py) ** 2 + (state.matches[number] ? 0 : 8 ** 2);
      if (distance < closest) [best, closest] = [number, distance];
    }
    return best;
  }

  function point(number) {
    hover.hidden = number < 0;
    view.pointed.setAttribute("visibility", number < 0 ? "hidden" : "visible");
    if (number < 0) return;
    const [x, y] = view.places.get(number), axis = axes[state.against];
    view.pointed.setAttribute("cx", x);
    view.pointed.setAttribute("cy", y);
    const shown = scoreText(scores.mean[state.split][number]);
    hover.replaceChildren(
      charts.html("b", {}, `${state.split} ${shown}, ${axis.label} ${axis.text(axis.of(state.split)[number])}`),
      space.text(space.representatives[number]));
    hover.style.left = `${Math.max(0, x + 14 + hover.offsetWidth <= view.width ? x + 14 : x - 14 - hover.offsetWidth)}px`;
    hover.style.top = `${y + 12}px`;
  }

  function choose(number) {
    if (number >= 0) select(space.representatives[number]);
  }

  function press(event) {
    const next = nextClass(event.key);
    if (next === null) return;
    event.preventDefault();
    if (next !== undefined) choose(next);
  }

  // Returns the class that a key leads to among those that match; undefined at the end, null for any other key.
  function nextClass(key) {
    const ys = scores.mean[state.split], xs = axes[state.against].of(state.split), own = space.classOf[state.row];
    const order = view.visible.filter((number) => state.matches[number] || number === own);
    const position = order.indexOf(own);
    if (key === "Home") return order[0];
    if (key === "End") return order.at(-1);
    if (key === "ArrowUp") return order[position < 0 ? 0 : position - 1];
    if (key === "ArrowDown") return order[position + 1];
    if (key !== "ArrowLeft" && key !== "ArrowRight") return null;
    const side = key === "ArrowRight" ? 1 : -1;
    const beyond = order.filter((number) => side * (xs[number] - xs[own]) > 0);
    const step = beyond.reduce((least, number) => Math.min(least, side * xs[number]), Infinity);
    const away = (number) => Math.abs(ys[number] - ys[own]);
    return beyond.filter((number) => side * xs[number] === step).sort((a, b) => away(a) - away(b))[0];
  }
}

function stampOf(radius, sharp, color) {
  const size = Math.ceil((2 * radius + 2) * sharp);
  const stamp = charts.html("canvas", { width: size, height: size }), context = stamp.getContext("2d");
  context.fillStyle = color;
  context.arc(size / 2, size / 2, radius * sharp, 0, 2 * Math.PI);
  context.fill();
  return stamp;
}

// The lowest score of the axis: that of all, unless a few lie so far below the others that these would be squeezed.
function footOf(best) {
  const high = best[0], usual = best[Math.floor(0.99 * (best.length - 1))];
  return Math.max(best.at(-1), usual - 0.5 * (high - usual));
}

// How far points of one value may be moved sideways, in pixels: within half the usual distance of few distinct values.
function spreadOf(values, toX) {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  if (distinct.length < 2 || distinct.length > values.length / 10) return 0;
  const gaps = distinct.slice(1).map((value, n) => toX(value) - toX(distinct[n])).sort((a, b) => a - b);
  return Math.min(10, Math.max(2, 0.4 * gaps[gaps.length >> 1]));
}

// A fixed number from -1 to 1 for each class, as if drawn at random.
function shift(number) {
  const turned = Math.sin(number * 12.9898 + 4.1) * 43758.5453;
  return 2 * (turned - Math.floor(turned)) - 1;
}

// The details of the selected architecture.
function makeDetail({ arrays, space, scores }, state, select) {
  let curves = null;
  return { show };

  function show() {
    const { row } = state, number = space.classOf[row], focused = document.activeElement;
    const walking = byId("neighbors").contains(focused), within = byId("numbers").contains(focused);
    byId("detail-title").textContent = `Architecture ${whole(row)}`;
    byId("text").replaceChildren(...breakable(space.text(row)));
    byId("numbers").replaceChildren(...pairs(numbersOf(row, number)));
    byId("cell").replaceChildren(...(facts.cell ? [drawCell(facts.cell, [...space.decoded(row).values()])] : []));
    byId("choices").replaceChildren(...pairs([...space.decoded(row)]));
    showCurves(number);
    showNeighbors(row, number);
    // what had the focus is gone: a walk goes on from the best neighbour
    if (walking) byId("neighbors").querySelector("button")?.focus({ preventScroll: true });
    if (within) byId("detail").focus({ preventScroll: true });
  }

  function numbersOf(row, number) {
    const ofSplit = (split) => {
      const spread = deviation(scores.ofSeeds(split, number));
      const around = Number.isFinite(spread) ? ` ± ${scoreText(spread).replace(" %", "")}` : "";
      return scoreText(scores.mean[split][number]).replace(/( %)?$/, `${around}$1`);
    };
    const rank = scores.rank[state.split][number];
    return [
      ["validation", ofSplit("validation")],
      ["test", ofSplit("test")],
      [`rank by ${state.split}`, Number.isFinite(rank) ? `${whole(rank)} of ${whole(facts.num_trained)}` : "none"],
      ...["parameters", "flops"].filter((name) => arrays[name]).map((name) =>
        [name === "flops" ? "FLOPs" : name, whole(arrays[name][number])]),
      ...(arrays.class_of ? [["class", classText(row, number)]] : []),
    ];
  }

  function classText(row, number) {
    const first = space.representatives[number], count = space.members[number];
    if (count === 1) return "this architecture alone";
    const text = `${whole(count)} architectures compute the same`;
    return row === first ? `${text}; this one was trained` : charts.html("span", {}, `${text}; trained was `, button(whole(first), () => select(first), { class: "link" }));
  }

  function showCurves(number) {
    if (facts.fidelities.length < 2) return;
    const seeds = facts.seeds.map((seed, position) => ({
      name: `seed ${seed}`, ...charts.style(position), width: 1.3, x: facts.fidelities,
      y: facts.fidelities.map((_, epoch) => scores.value("validation", number, position, epoch)),
    }));
    const mean = {
      name: "mean", color: "#1c2127", width: 2.6, x: facts.fidelities,
      y: facts.fidelities.map((_, epoch) => average(scores.ofSeeds("validation", number, epoch))),
    };
    const finite = (each) => ({ ...each, y: each.y.map((value) => (Number.isFinite(value) ? value : null)) });
    const series = (seeds.length > 1 ? [...seeds, mean] : seeds).map(finite).filter((each) => each.y.some((y) => y !== null));
    curves ??= charts.lineChart(byId("curves"), {
      label: `Validation ${facts.metric} over epochs`, series, height: 260, labels: false, ascending: false,
      x: { title: "epoch", kind: "linear", format: whole }, y: { title: `validation ${facts.metric}`, kind: "linear", format: shortScore },
      stopTitle: (epoch) => `epoch ${epoch}`, text: (each, n) => scoreText(each.y[n]),
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
    byId("neighbors-note").textContent = `${whole(others.length)} neighbours, each with one decision changed: ` +
      `${better ? whole(better) : "none"} better by ${state.split}${better ? "" : ", a local optimum"}${same ? `; ${whole(same)} of the same class` : ""}.`;
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

// The list of the classes that match, sorted by a column, a page at a time.
function makeList({ arrays, space, scores }, state, select) {
  const columns = [
    { name: "rank", values: () => scores.rank[state.split], text: whole, ascending: true },
    { name: "architecture", values: () => space.representatives, ascending: true },
    { name: "validation", values: () => scores.mean.validation, text: scoreText },
    { name: "test", values: () => scores.mean.test, text: scoreText },
    ...["parameters", "flops"].filter((name) => arrays[name]).map((name) =>
      ({ name: name === "flops" ? "FLOPs" : name, values: () => arrays[name], text: whole, ascending: true })),
    ...(arrays.class_of ? [{ name: "members", values: () => space.members, text: whole }] : []),
  ];
  let sorted = { column: columns[0], ascending: true }, order = [], page = 0;
  const headings = columns.map((column) => {
    const press = () => {
      sorted = { column, ascending: column === sorted.column ? !sorted.ascending : column.ascending ?? false };
      restart();
    };
    return charts.html("th", { scope: "col" }, button(column.name, press));
  });
  document.querySelector("#list thead tr").append(...headings);
  byId("previous").addEventListener("click", () => turn(page - 1));
  byId("next").addEventListener("click", () => turn(page + 1));
  return { restart, mark };

  function restart() {
    const values = sorted.column.values(), side = sorted.ascending ? 1 : -1;
    order = scores.order[state.split].filter((number) => state.matches[number]);
    order.sort((a, b) => side * (values[a] - values[b]));
    headings.forEach((heading, position) =>
      heading.setAttribute("aria-sort", columns[position] !== sorted.column ? "none" : sorted.ascending ? "ascending" : "descending"));
    turn(0);
  }

  function turn(wanted) {
    const numPages = Math.max(1, Math.ceil(order.length / PAGE_SIZE));
    page = Math.min(Math.max(wanted, 0), numPages - 1);
    const shown = order.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    document.querySelector("#list tbody").replaceChildren(...shown.map(line));
    byId("pages").textContent = `page ${whole(page + 1)} of ${whole(numPages)}, ${whole(order.length)} classes`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === numPages - 1;
    mark();
  }

  function line(number) {
    const row = space.representatives[number];
    const cells = columns.map(({ text, values }) =>
      charts.html("td", {}, text ? text(values()[number]) : button(breakable(space.text(row)), () => go(row))));
    return charts.html("tr", { "data-class": number }, ...cells);
  }

  function go(row) {
    select(row);
    byId("detail").scrollIntoView();
    byId("detail").focus({ preventScroll: true });
  }

  function mark() {
    for (const each of document.querySelectorAll("#list tbody tr")) {
      if (Number(each.dataset.class) === space.classOf[state.row]) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
  }
}
