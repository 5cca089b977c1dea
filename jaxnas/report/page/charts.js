/* Charts as inline SVG, without libraries. A chart fills the width of its container, is drawn again when that changes,
   is read by pointer, touch or arrow keys, and is changed by `update(options)`. */
"use strict";

const charts = (() => {
  // Okabe and Ito's colours, which the colour-blind can distinguish; dashes distinguish curves in grey.
  const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
  const DASHES = ["", "7 4", "2 3", "9 3 2 3"];
  const NARROW = 560;
  const ruler = document.createElement("canvas").getContext("2d");

  const style = (number) => ({
    color: COLORS[number % COLORS.length],
    dash: DASHES[Math.floor(number / COLORS.length) % DASHES.length],
  });

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

  function format(value) {
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
      if (inside.length <= count + 1) return inside.length > 1 ? inside : linearTicks(low, high, count);
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

  function padded([low, high], kind, share = 0.04) {
    if (kind === "log") return [low / (high / low) ** share, high * (high / low) ** share];
    const margin = (high - low) * share;
    return [low >= 0 && low < margin ? Math.min(low, 0) : low - margin, high + margin];
  }

  // The frame: grid, ticks and titles. `area` is where data go: { left, right, top, bottom } in pixels.

  function frame(area, width, height, x, y, { xTitle, yTitle, xFormat = format, yFormat = format }) {
    const parts = [];
    for (const tick of y.ticks) {
      parts.push(svg("line", { class: "grid", x1: area.left, x2: area.right, y1: y(tick), y2: y(tick) }));
      const place = { class: "tick", x: area.left - 8, y: y(tick) + 4, "text-anchor": "end" };
      parts.push(svg("text", place, yFormat(tick)));
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
    const ends = shown.map((each, n) => y(each.y[last[n]]));
    const places = spread(ends, 15, area.top, area.bottom);
    return shown.map((each, n) => {
      const start = x(each.x[last[n]]) + 3;
      const leader = `M${start} ${ends[n]}L${area.right + 14} ${places[n]}H${area.right + 22}`;
      return svg("g", {},
        svg("path", { d: leader, ...stroke({ color: each.color, width: 1.2 }) }),
        svg("text", { class: "label", x: area.right + 26, y: places[n] + 4 }, each.name));
    });
  }

  // The container of a chart: `draw(width)` returns its SVG; it is called again when the width changes.

  function mount(container, draw) {
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
    const isBelow = (width, rows) => width < NARROW && rows.length > 2;

    function place(pixel, width, area, below) {
      box.classList.toggle("floating", !below);
      box.hidden = false;
      if (below) return box.removeAttribute("style");
      box.style.top = `${area.top}px`;
      const right = pixel + 14 + box.offsetWidth <= width;
      box.style.left = `${right ? pixel + 14 : Math.max(0, pixel - 14 - box.offsetWidth)}px`;
    }

    function hide() {
      const { stops, tell, width, cursor } = view();
      if (isBelow(width, tell(stops.at(-1)).rows)) return show(stops.length - 1);
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
    }

    holder.addEventListener("pointermove", follow);
    holder.addEventListener("pointerdown", follow);
    holder.addEventListener("pointerleave", () => holder.matches(":focus-visible") || hide());
    holder.addEventListener("focus", () => {
      if (holder.matches(":focus-visible")) show(position ?? view().stops.length - 1);
    });
    holder.addEventListener("blur", hide);
    holder.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      show((position ?? view().stops.length - 1) + MOVES[event.key]);
    });

    function refresh() {
      const { stops, tell, width } = view();
      if (isBelow(width, tell(stops.at(-1)).rows) || !box.hidden) return show(position ?? Infinity);
      announce(Math.min(position ?? Infinity, stops.length - 1));
    }

    return { refresh };
  }

  /* Lines with bands. Options:
     label: for screen readers; height; bands, labels: whether to draw them;
     series: [{ name, color, dash, x, y, low, high, step, markers }]; null in y is a gap;
     x, y: { title, kind: "linear" or "log", format, from, to, reverse };
     stopTitle(x): the heading of the readout; text(series, n): what it says of a series' n-th point;
     ascending: whether the readout starts with the smallest value (true without it). */
  function lineChart(container, options) {
    let state = null;
    const { holder, redraw } = mount(container, draw);
    const { refresh } = reader(container, holder, options.label, () => state);
    return { update: (changes) => ((options = { ...options, ...changes }), redraw()) };

    function draw(width) {
      const { series, x, y, bands, labels = true, height = 380 } = options;
      const longest = Math.max(0, ...series.map((each) => textWidth(each.name)));
      const named = labels && width >= 720 && series.length > 0 && series.length <= 20;
      const area = areaOf(width, height, named ? Math.min(longest + 32, width * 0.35) : 0);
      const xs = series.flatMap((each) => each.x);
      const ys = series.flatMap((each) => (bands && each.low ? [...each.y, ...each.low, ...each.high] : each.y));
      const toX = scale(x.kind, domain(xs, x.kind, x), [area.left, area.right], area.right / 80);
      const upward = y.reverse ? [area.top, area.bottom] : [area.bottom, area.top];
      const toY = scale(y.kind, padded(domain(ys, y.kind, y), y.kind), upward, 6);
      const titles = { xTitle: x.title, yTitle: y.title, xFormat: x.format, yFormat: y.format };
      const cursor = svg("line", { class: "cursor", y1: area.top, y2: area.bottom, visibility: "hidden" });
      const drawing = canvas(width, height,
        frame(area, width, height, toX, toY, titles),
        ...series.filter((each) => bands && each.low).map((each) =>
          svg("path", { class: "band", d: band(each, toX, toY), fill: each.color, "fill-opacity": 0.11 })),
        ...series.map((each) => line(each, toX, toY)),
        ...(named ? endLabels(series, toX, toY, area) : []), cursor);
      const stops = [...new Set(xs)].sort((a, b) => a - b);
      state = { stops: stops.length ? stops : [0], x: toX, area, width, cursor, tell };
      queueMicrotask(refresh);
      return drawing;
    }

    function line(each, x, y) {
      const marks = each.markers
        ? each.x.map((value, n) => svg("circle", { cx: x(value), cy: y(each.y[n]), r: 2.6, fill: each.color })) : [];
      const drawn = svg("path", { class: "line", d: path(each.x, each.y, x, y, each.step), ...stroke(each) });
      return svg("g", { "data-name": each.name }, drawn, ...marks);
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

  /* Bars between edges. Options: label, height; series: [{ name, color, dash, edges, counts }];
     x, y: { title, format }. */
  function histogram(container, options) {
    const { holder, redraw } = mount(container, draw);
    fill(holder, { role: "img", "aria-label": options.label }, []);
    return { update: (changes) => ((options = { ...options, ...changes }), redraw()) };

    function draw(width) {
      const { series, x, y, height = 260 } = options;
      const area = areaOf(width, height);
      const reach = domain(series.flatMap((each) => each.edges), "linear", x);
      const [, most] = domain(series.flatMap((each) => each.counts), "linear", { from: 0 });
      const toX = scale("linear", reach, [area.left, area.right], area.right / 80);
      const toY = scale("linear", [0, most * 1.05], [area.bottom, area.top], 4);
      const titles = { xTitle: x.title, yTitle: y.title, xFormat: x.format, yFormat: y.format };
      return canvas(width, height,
        frame(area, width, height, toX, toY, titles),
        ...legend(series, area.right),
        ...series.map((each) => bars(each, toX, toY, area.bottom)));
    }

    function legend(shown, right) {
      let x = right;
      return [...shown].reverse().flatMap(({ name, color, dash }) => {
        x -= textWidth(name) + 46;
        const line = svg("line", { x1: x + 12, x2: x + 36, y1: 8, y2: 8, ...stroke({ color, dash, width: 2.4 }) });
        return [line, svg("text", { class: "label", x: x + 42, y: 12 }, name)];
      });
    }

    function bars({ edges, counts, color, dash }, x, y, bottom) {
      const steps = counts.map((count, n) => `V${y(count)}H${x(edges[n + 1])}`).join("");
      const outline = `M${x(edges[0])} ${bottom}${steps}V${bottom}Z`;
      return svg("path", { d: outline, ...stroke({ color, dash, width: 1.5 }), fill: color, "fill-opacity": 0.22 });
    }
  }

  return {
    style, html, svg, format, swatch, textWidth, mount, canvas, scale, domain, padded, frame, areaOf,
    lineChart, histogram,
  };
})();
