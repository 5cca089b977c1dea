/* Charts as inline SVG, without libraries. A chart fills the width of its container, is drawn again when that changes,
   is read by pointer, touch or arrow keys, and is changed by `update(options)`. */
"use strict";

const charts = (() => {
  // Okabe and Ito's colors, which the color-blind can distinguish, as the style sheet has them for light and dark
  // screens; dashes distinguish curves in gray.
  const NUM_COLORS = 7;
  const DASHES = ["", "7 4", "2 3", "9 3 2 3"];
  const NARROW = 560, CROWD = 8;
  const ruler = document.createElement("canvas").getContext("2d");

  const style = (number) => ({
    color: `var(--color-${number % NUM_COLORS})`,
    dash: DASHES[Math.floor(number / NUM_COLORS) % DASHES.length],
  });

  // How each strategy is drawn, by its name. Random search, which others are compared with, is always the same gray.
  function looks(names) {
    const others = names.filter((name) => name !== "random_search");
    return Object.fromEntries(names.map((name) => {
      const look = name === "random_search" ? { color: "var(--baseline)", dash: "" } : style(others.indexOf(name));
      return [name, { name, ...look }];
    }));
  }

  function fill(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }
  const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  function textWidth(text) {
    ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return ruler.measureText(text).width;
  }

  // A number; with a step between numbers, with the digits that tell them apart.
  function format(value, step) {
    if (step !== undefined) return value.toFixed(digitsOf(step));
    if (value === 0) return "0";
    const size = Math.abs(value);
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : Math.min(6, 2 - Math.floor(Math.log10(size)));
    return Number(value.toFixed(digits)).toLocaleString("en", { maximumFractionDigits: 6 });
  }

  // Scales: from values to pixels, with ticks at round values.

  function linearTicks(low, high, count) {
    const rough = (high - low) / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.7);
    const ticks = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) ticks.push(n * step);
    return ticks;
  }

  function logTicks(low, high, count) {
    for (const factors of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
      const ticks = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        ticks.push(...factors.map((factor) => factor * 10 ** power));
      const inside = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
      if (inside.length <= count + 1) return inside.length > 2 ? inside : linearTicks(low, high, count);
    }
    const decades = [];
    const every = Math.ceil(Math.log10(high / low) / count);
    for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power += every) decades.push(10 ** power);
    return decades;
  }

  function scale(kind, [low, high], [start, end], count) {
    const log = kind === "log";
    const place = log ? Math.log : Number;
    const span = place(high) - place(low) || 1;
    const to = (value) => start + ((place(log ? Math.max(value, low) : value) - place(low)) / span) * (end - start);
    return Object.assign(to, {
      from: (pixel) => {
        const value = place(low) + ((pixel - start) / (end - start)) * span;
        return log ? Math.exp(value) : value;
      },
      ticks: (log ? logTicks : linearTicks)(low, high, count),
    });
  }

  function domain(values, kind, { from, to } = {}) {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
      if (!Number.isFinite(value) || (kind === "log" && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) [low, high] = kind === "log" ? [0.1, 1] : [0, 1];
    if (from !== undefined && (kind !== "log" || from > 0)) low = from;
    if (to !== undefined) high = to;
    if (low === high) [low, high] = kind === "log" ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    return [low, high];
  }

  // The largest value to show of curves: one that reaches over three times the median of their tops would squeeze the
  // others. Returns it, and the names of the curves that reach beyond.
  function usualTop(series) {
    const tops = series.map((each) => Math.max(...each.y.filter(Number.isFinite))).filter(Number.isFinite);
    const middle = [...tops].sort((a, b) => a - b)[(tops.length - 1) >> 1];
    const usual = tops.filter((top) => top <= 3 * Math.max(middle, 0));
    const to = usual.length ? Math.max(...usual) : Math.max(...tops);
    return { to, beyond: series.filter((each) => each.y.some((value) => value > to)).map((each) => each.name) };
  }

  // The part of a curve from a value of x on.
  function from(start, series) {
    if (start === undefined) return series;
    const kept = series.x.map((value) => value >= start);
    const part = (values) => values && values.filter((_, n) => kept[n]);
    return { ...series, x: part(series.x), y: part(series.y), low: part(series.low), high: part(series.high) };
  }

  function padded([low, high], kind, share = 0.04) {
    if (kind === "log") return [low / (high / low) ** share, high * (high / low) ** share];
    const margin = (high - low) * share;
    return [low >= 0 && low < margin ? Math.min(low, 0) : low - margin, high + margin];
  }

  // The frame: grid, ticks and titles. `area` is where data go: { left, right, top, bottom } in pixels.

  function frame(area, width, height, x, y, { xTitle, yTitle, xFormat = format, yFormat = format }) {
    const parts = [], texts = distinct(y.ticks, yFormat);
    for (const [number, tick] of y.ticks.entries()) {
      parts.push(svg("line", { class: "grid", x1: area.left, x2: area.right, y1: y(tick), y2: y(tick) }));
      const place = { class: "tick", x: area.left - 8, y: y(tick) + 4, "text-anchor": "end" };
      parts.push(svg("text", place, texts[number]));
    }
    for (const tick of x.ticks) {
      parts.push(svg("line", { class: "axis", x1: x(tick), x2: x(tick), y1: area.bottom, y2: area.bottom + 5 }));
      const place = { class: "tick", x: x(tick), y: area.bottom + 18, "text-anchor": "middle" };
      parts.push(svg("text", place, xFormat(tick)));
    }
    parts.push(svg("line", { class: "axis", x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }));
    parts.push(svg("text", { class: "axis-title", x: 0, y: 12 }, yTitle));
    parts.push(svg("text", { class: "axis-title", x: area.right, y: height - 4, "text-anchor": "end" }, xTitle));
    return svg("g", {}, ...parts);
  }

  const digitsOf = (step) => Math.min(Math.max(Math.ceil(-Math.log10(Math.abs(step)) - 1e-6), 0), 20);

  // The texts of ticks, with more digits where they would be equal: `text` is then told the step between them.
  function distinct(ticks, text) {
    const texts = ticks.map((tick) => text(tick));
    return new Set(texts).size === texts.length ? texts : ticks.map((tick) => text(tick, ticks[1] - ticks[0]));
  }

  function areaOf(width, height, labelWidth = 0) {
    return { left: 48, right: width - (labelWidth || 22), top: 28, bottom: height - 42 };
  }

  // Paths

  function path(xs, ys, x, y, step) {
    let text = "", pen = "M";
    xs.forEach((value, n) => {
      if (ys[n] === null || !Number.isFinite(ys[n])) return void (pen = "M");
      const [px, py] = [x(value).toFixed(1), y(ys[n]).toFixed(1)];
      text += step && pen === "L" ? `H${px}V${py}` : `${pen}${px} ${py}`;
      pen = "L";
    });
    return text;
  }

  function band(series, x, y) {
    const back = (values) => [...values].reverse();
    return path(series.x, series.high, x, y) + path(back(series.x), back(series.low), x, y).replace("M", "L") + "Z";
  }

  const stroke = ({ color, dash, width = 1.8 }) => ({
    fill: "none",
    stroke: color,
    "stroke-width": width,
    "stroke-dasharray": dash || undefined,
    "stroke-linejoin": "round",
  });

  function swatch(look) {
    const line = svg("line", { x1: 0, x2: 24, y1: 6, y2: 6, ...stroke({ width: 2.4, ...look }) });
    return svg("svg", { class: "swatch", viewBox: "0 0 24 12", "aria-hidden": "true" }, line);
  }

  // Names at the ends of curves, moved apart so that none hides another.

  function spread(places, gap, low, high) {
    const order = places.map((place, n) => n).sort((a, b) => places[a] - places[b]);
    const moved = [...places];
    order.forEach((n, k) => (moved[n] = Math.max(places[n], k ? moved[order[k - 1]] + gap : low)));
    let limit = high;
    for (const n of order.reverse()) {
      moved[n] = Math.min(moved[n], limit);
      limit = moved[n] - gap;
    }
    return moved;
  }

  function endLabels(series, x, y, area) {
    const shown = series.filter((each) => each.y.some((value) => value !== null));
    const last = shown.map((each) => each.y.findLastIndex((value) => value !== null));
    const ends = shown.map((each, n) => Math.min(Math.max(y(each.y[last[n]]), area.top - 4), area.bottom));
    const places = spread(ends, 15, area.top, area.bottom);
    return shown.map((each, n) => {
      const start = x(each.x[last[n]]) + 3;
      const leader = `M${start} ${ends[n]}L${area.right + 14} ${places[n]}H${area.right + 22}`;
      return svg("g", { "data-label": each.name },
        svg("path", { d: leader, ...stroke({ color: each.color, width: 1.2 }) }),
        svg("text", { class: "label", x: area.right + 26, y: places[n] + 4 }, each.name));
    });
  }

  // The container of a chart: `draw(width)` returns its SVG; it is called again when the width changes.

  function mount(container, draw, resized = () => {}) {
    let width = 0;
    const holder = html("div", { class: "plot" });
    container.classList.add("chart");
    container.replaceChildren(holder);
    const redraw = () => width > 0 && holder.replaceChildren(draw(width));
    new ResizeObserver(([entry]) => {
      const found = Math.round(entry.contentRect.width);
      if (found === width) return;
      width = found;
      redraw();
      resized();
    }).observe(container);
    return { holder, redraw };
  }

  function canvas(width, height, ...children) {
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" }, ...children);
  }

  // Reading: a cursor over `stops` (x values), moved by pointer, touch and keys. `tell(stop)` returns the title and
  // rows [{ look, name, text }] of what is there; the same goes to screen readers as the value of a slider.

  const MOVES = {
    ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1,
    PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity,
  };

  function reader(container, holder, label, view) {
    const box = html("div", { class: "readout screen-only", "aria-hidden": "true", hidden: "" });
    container.append(box);
    fill(holder, { role: "slider", tabindex: 0, "aria-label": `${label}: values`, "aria-valuemin": 0 }, []);
    let position = null;

    function announce(stop) {
      const { stops, tell } = view();
      const { title, rows } = tell(stops[stop]);
      const text = `${title}: ${rows.map((row) => `${row.name} ${row.text}`).join(", ")}`;
      fill(holder, { "aria-valuemax": stops.length - 1, "aria-valuenow": stop, "aria-valuetext": text }, []);
    }

    function show(next) {
      const { stops, tell, x, area, width, cursor } = view();
      position = Math.min(Math.max(next, 0), stops.length - 1);
      const { title, rows } = tell(stops[position]);
      announce(position);
      const lines = rows.map((row) =>
        html("li", {}, swatch(row.look), html("span", {}, row.name), html("span", { class: "value" }, row.text)));
      box.replaceChildren(html("b", {}, title), html("ol", {}, ...lines));
      place(x(stops[position]), width, area, isBelow(width, rows));
      fill(cursor, { x1: x(stops[position]), x2: x(stops[position]), visibility: "visible" }, []);
    }

    // On a phone a long readout stands below the chart, always, and serves as its legend.
    const isBelow = (width, rows) => !view().compact && width < NARROW && rows.length > 2;

    function place(pixel, width, area, below) {
      box.classList.toggle("floating", !below);
      box.hidden = false;
      if (below) return box.removeAttribute("style");
      box.style.top = `${area.top}px`;
      const right = pixel + 14 + box.offsetWidth <= width;
      box.style.left = `${right ? pixel + 14 : Math.max(0, pixel - 14 - box.offsetWidth)}px`;
    }

    function hide() {
      if (view()?.near) view().near(null);
      const { stops, tell, width, cursor, rest } = view();
      if (isBelow(width, tell(stops.at(-1)).rows)) return show(rest);
      box.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    }

    function follow(event) {
      const { stops, x, width } = view();
      const pixel = ((event.clientX - holder.getBoundingClientRect().left) / holder.clientWidth) * width;
      let nearest = 0;
      stops.forEach((stop, n) => {
        if (Math.abs(x(stop) - pixel) < Math.abs(x(stops[nearest]) - pixel)) nearest = n;
      });
      show(nearest);
      if (event.pointerType !== "touch") view().near?.(nameAt(stops[nearest], event));
    }

    // The curve that is nearest to the pointer, if any is near.
    function nameAt(stop, event) {
      const { y, height, tell } = view(), bounds = holder.getBoundingClientRect();
      const pixel = ((event.clientY - bounds.top) / bounds.height) * height;
      const distance = (row) => Math.abs(y(row.value) - pixel);
      const rows = tell(stop).rows.sort((a, b) => distance(a) - distance(b));
      return rows.length && distance(rows[0]) < 30 ? rows[0].name : null;
    }

    holder.addEventListener("pointermove", follow);
    holder.addEventListener("pointerdown", follow);
    holder.addEventListener("pointerleave", () => holder.matches(":focus-visible") || hide());
    holder.addEventListener("focus", () => {
      if (holder.matches(":focus-visible")) show(position ?? view().rest);
    });
    holder.addEventListener("blur", hide);
    holder.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      show((position ?? view().rest) + MOVES[event.key]);
    });

    function refresh() {
      const { stops, tell, width, rest } = view();
      if (isBelow(width, tell(stops.at(-1)).rows) || !box.hidden) return show(position ?? rest);
      announce(Math.min(position ?? rest, stops.length - 1));
    }

    return { refresh, hide };
  }

  /* Lines with bands. Options:
     label: for screen readers; height; bands, labels: whether to draw them;
     series: [{ name, color, dash, x, y, low, high, step, markers }]; null in y is a gap;
     x, y: { title, kind: "linear" or "log", format, from, to, reverse, usual, whole }; whole: ticks at whole numbers; from: where the axis begins; usual: cut
     off curves that reach far above the others, and say so; an axis without positive values is linear;
     stopTitle(x): the heading of the readout; text(series, n): what it says of a series' n-th point;
     apart: whether the readout rests where the curves differ most, else at their end;
     ascending: whether the readout starts with the smallest value (true without it);
     compact: whether the readout always floats above the chart;
     near(name): called with the name of the curve at the pointer, null without. */
  function lineChart(container, options) {
    let state = null;
    const { holder, redraw } = mount(container, draw, () => state && hide());
    const { refresh, hide } = reader(container, holder, options.label, () => state);
    const note = html("p", { class: "note cut", hidden: "" });
    container.append(note);
    return { update: (changes) => ((options = { ...options, ...changes }), redraw()) };

    // What is within the axes: the curves from where x begins, the kinds of the axes and their ranges.
    function shownPart() {
      const { x, y, bands } = options;
      const series = options.series.map((each) => from(x.from, each));
      const means = series.flatMap((each) => each.y).filter(Number.isFinite);
      const kind = y.kind === "log" && means.some((value) => value <= 0) ? "linear" : y.kind;
      const { to, beyond } = y.usual && means.length ? usualTop(series) : { to: undefined, beyond: [] };
      const withEnds = bands && kind !== "log" && !y.usual;
      const ends = withEnds ? series.flatMap((each) => [...(each.low ?? []), ...(each.high ?? [])]) : [];
      const least = y.kind === "linear" && y.from === 0 ? Math.min(0, ...means) : y.from;
      return { series, kind, beyond, range: domain([...means, ...ends], kind, { from: least, to: y.to ?? to }) };
    }

    function draw(width) {
      const { series, x, y, bands, labels = true, height = 380 } = options;
      const longest = Math.max(0, ...series.map((each) => textWidth(each.name)));
      const named = labels && width >= 720 && series.length > 0 && series.length <= 20;
      const area = areaOf(width, height, named ? Math.min(longest + 32, width * 0.35) : 0);
      const part = shownPart();
      const xs = part.series.flatMap((each) => each.x);
      const toX = scale(x.kind, domain(xs, x.kind, x), [area.left, area.right], area.right / 80);
      if (x.whole) toX.ticks = toX.ticks.filter(Number.isInteger);
      const upward = y.reverse ? [area.top, area.bottom] : [area.bottom, area.top];
      const toY = scale(part.kind, padded(part.range, part.kind), upward, 6);
      const titles = { xTitle: x.title, yTitle: y.title, xFormat: x.format, yFormat: y.format };
      const cursor = svg("line", { class: "cursor", y1: area.top, y2: area.bottom, visibility: "hidden" });
      const within = { x: area.left - 4, y: area.top - 4, width: area.right - area.left + 8, height: area.bottom - area.top + 5 };
      const drawing = canvas(width, height,
        frame(area, width, height, toX, toY, titles),
        svg("svg", { ...within, class: series.length > CROWD ? "crowded" : undefined, viewBox: Object.values(within).join(" ") },
          ...part.series.filter((each) => bands && each.low).map((each) => svg("path", {
            class: "band", "data-band": each.name, d: band(each, toX, toY), fill: each.color, "fill-opacity": 0.11 })),
          ...part.series.map((each) => line(each, toX, toY))),
        ...(named ? endLabels(part.series, toX, toY, area) : []), cursor);
      const stops = [...new Set(xs)].sort((a, b) => a - b);
      const { near, compact } = options;
      const rest = options.apart ? mostApart(stops) : Math.max(0, stops.length - 1);
      state = { stops: stops.length ? stops : [0], rest, x: toX, y: toY, area, width, height, cursor, tell, near, compact };
      note.textContent = noteOf(part);
      note.hidden = !note.textContent;
      queueMicrotask(refresh);
      return drawing;
    }

    // The number of the stop where the curves differ most; one that has not begun is at 0.
    function mostApart(stops) {
      const gap = (rows) => Math.max(...rows) - Math.min(...rows);
      const gaps = stops.map((stop) => gap(options.series.map((each) => each.y[each.x.findLastIndex((value) => value <= stop)] ?? 0)));
      return Math.max(0, gaps.indexOf(Math.max(...gaps)));
    }

    function noteOf({ beyond, kind }) {
      const parts = beyond.length ? [`Above the chart: ${beyond.join(", ")}.`] : [];
      if (kind !== options.y.kind) parts.push("The vertical axis is linear: a value that is not above zero has no logarithm.");
      return parts.join(" ");
    }

    function line(each, x, y) {
      const marks = each.markers
        ? each.x.flatMap((value, n) => (Number.isFinite(each.y[n])
          ? [svg("circle", { cx: x(value), cy: y(each.y[n]), r: 2.6, fill: each.color })] : [])) : [];
      const drawn = svg("path", { class: "line", d: path(each.x, each.y, x, y, each.step), ...stroke(each) });
      return svg("g", { "data-name": each.of ?? each.name }, drawn, ...marks);
    }

    function tell(stop) {
      const rows = [];
      for (const each of options.series) {
        const n = each.x.findLastIndex((value) => value <= stop);
        if (n < 0 || each.y[n] === null) continue;
        rows.push({ look: each, name: each.name, value: each.y[n], text: options.text(each, n) });
      }
      rows.sort((a, b) => (options.ascending === false ? b.value - a.value : a.value - b.value));
      return { title: options.stopTitle(stop), rows };
    }
  }

  return {
    style, looks, html, svg, format, digitsOf, swatch, textWidth, mount, canvas, scale, domain, padded, frame, areaOf,
    lineChart, stroke, fill,
  };
})();
