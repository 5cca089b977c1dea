"use strict";

/* Bars between edges. Options: label, height; series: [{ name, color, dash, edges, counts }];
   x, y: { title, format }. */
function histogram(container, options) {
  const { holder, redraw } = charts.mount(container, draw);
  charts.fill(holder, { role: "img", "aria-label": options.label }, []);
  return { update: (changes) => ((options = { ...options, ...changes }), redraw()) };

  function draw(width) {
    const { series, x, y, height = 260 } = options;
    const area = charts.areaOf(width, height);
    const reach = charts.domain(series.flatMap((each) => each.edges), "linear", x);
    const [, most] = charts.domain(series.flatMap((each) => each.counts), "linear", { from: 0 });
    const toX = charts.scale("linear", reach, [area.left, area.right], area.right / 80);
    const toY = charts.scale("linear", [0, most * 1.05], [area.bottom, area.top], 4);
    const titles = { xTitle: x.title, yTitle: y.title, xFormat: x.format, yFormat: y.format };
    return charts.canvas(width, height,
      charts.frame(area, width, height, toX, toY, titles),
      ...legend(series, area.right),
      ...series.map((each) => bars(each, toX, toY, area.bottom)));
  }

  function legend(shown, right) {
    let x = right;
    return [...shown].reverse().flatMap(({ name, color, dash }) => {
      x -= charts.textWidth(name) + 46;
      const line = charts.svg("line", { x1: x + 12, x2: x + 36, y1: 8, y2: 8, ...charts.stroke({ color, dash, width: 2.4 }) });
      return [line, charts.svg("text", { class: "label", x: x + 42, y: 12 }, name)];
    });
  }

  function bars({ edges, counts, color, dash }, x, y, bottom) {
    const steps = counts.map((count, n) => `V${y(count)}H${x(edges[n + 1])}`).join("");
    const outline = `M${x(edges[0])} ${bottom}${steps}V${bottom}Z`;
    return charts.svg("path", { d: outline, ...charts.stroke({ color, dash, width: 1.5 }), fill: color, "fill-opacity": 0.22 });
  }
}
