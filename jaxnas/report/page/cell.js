// A cell drawn as `jaxnas.spaces.cells.drawing.draw` draws it: nodes in a row, each edge an arc with the name of its operation. Dead
// edges are dashed, edges that pass nothing are left out.
"use strict";

const CELL_COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#999999"];
const STEP = 130, MARGIN = 26, RADIUS = 16;

// Returns for each edge whether it lies on a path from the input to the output that no edge without passage cuts.
function liveEdges(edges, passes, numNodes) {
  const reached = Array.from({ length: numNodes }, (_, node) => node === 0);
  const needed = Array.from({ length: numNodes }, (_, node) => node === numNodes - 1);
  edges.forEach(([source, target], number) => { reached[target] ||= reached[source] && passes[number]; });
  for (let number = edges.length - 1; number >= 0; number--) {
    const [source, target] = edges[number];
    needed[source] ||= needed[target] && passes[number];
  }
  return edges.map(([source, target], number) => reached[source] && needed[target] && passes[number]);
}

// Returns the cell as an SVG element; `operations` holds the name of each edge's operation, `names` all that there are, in
// the order of their colors.
function drawCell({ num_nodes: numNodes, edges, zero }, operations, names) {
  const passes = operations.map((name) => !zero.includes(name));
  const live = liveEdges(edges, passes, numNodes);
  const width = STEP * (numNodes - 1) + 2 * MARGIN, heights = edges.map(arcHeight);
  const baseline = 30 - Math.min(0, ...heights), height = baseline + Math.max(RADIUS, ...heights) + 24;
  const drawing = charts.svg("svg", {
    viewBox: `0 0 ${width} ${height}`, "font-family": "sans-serif", "font-size": 13, role: "img",
    "aria-label": `Cell: ${edges.filter((_, number) => live[number]).length} of ${edges.length} edges are in use`,
  });
  const marker = charts.svg("marker", {
    id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto",
  }, charts.svg("path", { d: "M0 0 8 4 0 8z", fill: "#555" }));
  drawing.append(charts.svg("defs", {}, marker));
  edges.forEach((edge, number) => {
    if (!passes[number]) return;
    const color = CELL_COLORS[names.indexOf(operations[number]) % CELL_COLORS.length];
    drawing.append(...drawEdge(edge, operations[number], color, live[number], baseline));
  });
  for (let node = 0; node < numNodes; node++) {
    const center = MARGIN + STEP * node, label = node === 0 ? "in" : node === numNodes - 1 ? "out" : node;
    drawing.append(
      charts.svg("circle", { cx: center, cy: baseline, r: RADIUS, fill: "#fff", stroke: "#333", "stroke-width": 1.5 }),
      charts.svg("text", { x: center, y: baseline + 4.5, "text-anchor": "middle" }, String(label)),
    );
  }
  return drawing;
}

// How far below the row of nodes an edge's arc goes; above it where negative.
function arcHeight([source, target]) {
  const span = target - source;
  return span === 1 ? 0 : (10 + 35 * span) * ((source + target) % 2 ? -1 : 1);
}

function drawEdge(edge, name, color, alive, baseline) {
  const [start, end] = edge.map((node) => MARGIN + STEP * node), middle = (start + end) / 2;
  const height = arcHeight(edge), side = height > 0 ? 1 : -1;
  const begin = height ? [start, baseline + side * RADIUS] : [start + RADIUS, baseline];
  const finish = height ? [end, baseline + side * (RADIUS + 3)] : [end - RADIUS - 3, baseline];
  const bend = baseline + 2 * height - (height ? side * RADIUS : 0);
  const dashes = alive ? {} : { "stroke-dasharray": "5 4", opacity: 0.45 };
  const path = `M${begin.join(" ")} Q${middle} ${bend} ${finish.join(" ")}`;
  const label = { x: middle, y: baseline + height + (side < 0 ? -7 : 16), "text-anchor": "middle", fill: "#222" };
  return [
    charts.svg("path", { d: path, fill: "none", stroke: color, "stroke-width": 2, "marker-end": "url(#arrow)", ...dashes }),
    charts.svg("text", label, name),
  ];
}
