// A graph drawn as `jaxnas.spaces.graphs.draw` draws it: a box for each vertex, a chain down, others from left to right.
"use strict";

const GRAPH_GAP = 32, GRAPH_SPACE = 18, GRAPH_MARGIN = 14, GRAPH_NOTE = 22, SECOND_LINE = "; ";

// Returns the graph as an SVG element: `labels` holds the number of each vertex's name, -1 where there is none; `edge(u, v)`
// whether there is one; `names` all that there are, in the order of their colours; `note` a text below.
function drawGraph({ names, note }, labels, edge) {
  const vertices = [...labels.keys()].filter((vertex) => labels[vertex] >= 0);
  const lines = new Map(vertices.map((vertex) => [vertex, names[labels[vertex]].split(SECOND_LINE)]));
  const longest = Math.max(0, ...[...lines.values()].flat().map((line) => line.length));
  const width = Math.max(7 * longest + 2 * GRAPH_MARGIN, 60);
  const height = 10 + 16 * Math.max(1, ...[...lines.values()].map((each) => each.length));
  const corners = new Map([...placesOf(vertices, edge)].map(([vertex, [column, row]]) =>
    [vertex, [GRAPH_MARGIN + column * (width + GRAPH_GAP), GRAPH_MARGIN + row * (height + GRAPH_SPACE)]]));
  const kinds = [...new Set(names.map((name) => name.split(SECOND_LINE)[0]))];
  const color = (vertex) => CELL_COLORS[kinds.indexOf(lines.get(vertex)[0]) % CELL_COLORS.length];
  const [right, bottom] = [0, 1].map((axis) => Math.max(GRAPH_MARGIN, ...[...corners.values()].map((each) => each[axis])));
  const size = [Math.max(right + width, 6 * note.length) + GRAPH_MARGIN, bottom + height + GRAPH_MARGIN + (note ? GRAPH_NOTE : 0)];
  const drawing = charts.svg("svg", {
    viewBox: `0 0 ${size.join(" ")}`, width: size[0], height: size[1], "font-family": "sans-serif", "font-size": 12, role: "img",
    "aria-label": `Graph: ${vertices.map((vertex) => lines.get(vertex).join(", ")).join("; ")}`,
  });
  for (const source of vertices) {
    for (const target of vertices) {
      if (edge(source, target)) drawing.append(drawLine(corners.get(source), corners.get(target), width, height));
    }
  }
  for (const vertex of vertices) drawing.append(...drawBox(corners.get(vertex), width, height, lines.get(vertex), color(vertex)));
  if (note) drawing.append(charts.svg("text", { x: GRAPH_MARGIN, y: size[1] - GRAPH_MARGIN, fill: "#555" }, note));
  return drawing;
}

// Returns the column and the row of each vertex, as `jaxnas.spaces.graphs._places`.
function placesOf(vertices, edge) {
  const columns = new Map(), parents = new Map(), below = new Map([-1, ...vertices].map((vertex) => [vertex, []]));
  for (const vertex of vertices) {
    let parent = -1;
    for (const other of columns.keys()) {
      if (edge(other, vertex) && (parent < 0 || columns.get(other) > columns.get(parent))) parent = other;
    }
    columns.set(vertex, parent < 0 ? 0 : columns.get(parent) + 1);
    parents.set(vertex, parent);
    below.get(parent).push(vertex);
  }
  if (vertices.length > 1 && [...below.values()].every((others) => others.length < 2)) {
    return new Map(vertices.map((vertex) => [vertex, [0, columns.get(vertex)]]));
  }
  const rows = new Map(), open = below.get(-1).slice().reverse();
  let numRows = 0;
  while (open.length) {
    const vertex = open.pop(), parent = parents.get(vertex);
    rows.set(vertex, parent >= 0 && below.get(parent)[0] === vertex ? rows.get(parent) : numRows++);
    open.push(...below.get(vertex).slice().reverse());
  }
  return new Map(vertices.map((vertex) => [vertex, [columns.get(vertex), rows.get(vertex)]]));
}

function drawLine([left, top], [right, bottom], width, height) {
  let path = `M${left + width / 2} ${top + height} L${left + width / 2} ${bottom}`;
  if (left !== right) {
    const dip = top === bottom && right - left > width + GRAPH_GAP ? 0.75 * (height + GRAPH_SPACE) : 0;
    const start = left + width, end = top + height / 2, last = bottom + height / 2, bend = (right - left - width) / 2;
    path = `M${start} ${end} C${start + bend} ${end + dip} ${right - bend} ${last + dip} ${right} ${last}`;
  }
  return charts.svg("path", { d: path, fill: "none", stroke: "#555", "stroke-width": 1.5 });
}

function drawBox([left, top], width, height, lines, color) {
  const first = top + height / 2 + 4 - 8 * (lines.length - 1);
  const texts = lines.map((line, number) => charts.svg("text", {
    x: left + width / 2, y: first + 16 * number, "text-anchor": "middle", fill: "#222",
  }, line));
  return [charts.svg("rect", { x: left, y: top, width, height, rx: 5, fill: "#fff", stroke: color, "stroke-width": 2 }), ...texts];
}
