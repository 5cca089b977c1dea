// The plot of the explorer: points on a canvas, the axes in SVG below it, marks in SVG above it.
"use strict";

// The colors of points: a canvas knows no variables of the style sheet.
const colorOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return { draw: redraw, mark };

  function draw(width) {
    const height = Math.round(Math.min(560, Math.max(320, width * 0.66)));
    const axis = axes[state.against], xs = axis.of(state.split), ys = scores.mean[state.split];
    const ranked = scores.order[state.split], numShown = Math.max(2, Math.ceil(ranked.length * state.zoom));
    const visible = ranked.slice(0, numShown).filter((number) => Number.isFinite(xs[number]));
    const area = charts.areaOf(width, height);
    const range = charts.domain(visible.map((number) => xs[number]), "linear");
    const kind = range[0] > 0 && range[1] / range[0] > 30 && state.against !== "rank" ? "log" : "linear";
    const toX = charts.scale(kind, charts.padded(range, kind), [area.left, area.right], area.right / 110);
    const low = footOf(visible.map((number) => ys[number]));
    const toY = charts.scale("linear", charts.padded(charts.domain([low, ys[visible[0]]], "linear"), "linear"), [area.bottom, area.top], 6);
    const spread = spreadOf(visible.map((number) => xs[number]), toX);
    const placeOf = (number) => [toX(xs[number]) + spread * shift(number), toY(Math.max(ys[number], low))];
    const places = new Map(visible.map((number) => [number, placeOf(number)]));
    const titles = { xTitle: axis.title, yTitle: scoreTitle(state.split), xFormat: axis.text, yFormat: tickText };
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
    for (const [wanted, color, alpha] of [[0, colorOf("--truth"), 0.45], [1, colorOf("--color-0"), 0.4]]) {
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
    if (!facts.sizes.includes(state.against)) return [];
    let best = -Infinity, path = "";
    for (const number of [...visible].sort((a, b) => xs[a] - xs[b] || ys[b] - ys[a])) {
      if (ys[number] <= best) continue;
      best = ys[number];
      path += path ? `H${toX(xs[number]).toFixed(1)}V${toY(best).toFixed(1)}` : `M${toX(xs[number]).toFixed(1)} ${toY(best).toFixed(1)}`;
    }
    return [charts.svg("path", { class: "front", d: `${path}H${area.right}` })];
  }

  // The selected class and the neighbors of the selected architecture.
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
