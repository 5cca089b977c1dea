// A graph drawn as `jaxnas.spaces.graphs.draw` draws it: a box for each vertex, edges from left to right, or down where
// that is narrower.
"use strict";

const GRAPH_GAP = 32, GRAPH_SPACE = 18, GRAPH_MARGIN = 14, GRAPH_NOTE = 22, SECOND_LINE = "; ";

// Returns the graph as an SVG element: `labels` holds the number of each vertex's name, -1 where there is none; `edge(u, v)`
// whether there is one; `names` all that there are, in the order of their colors; `note` a text below.
function drawGraph({ names, note }, labels, edge) {
  const vertices = [...labels.keys()].filter((vertex) => labels[vertex] >= 0);
  const lines = new Map(vertices.map((vertex) => [vertex, names[labels[vertex]].split(SECOND_LINE)]));
  const longest = Math.max(0, ...[...lines.values()].flat().map((line) => line.length));
  const width = Math.max(7 * longest + 2 * GRAPH_MARGIN, 60);
  const height = 10 + 16 * Math.max(1, ...[...lines.values()].map((each) => each.length));
  const [places, down] = placesOf(vertices, edge);
  const corners = new Map([...places].map(([vertex, [column, row]]) =>
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
      if (edge(source, target)) drawing.append(drawLine(corners.get(source), corners.get(target), [width, height], down));
    }
  }
  for (const vertex of vertices) drawing.append(...drawBox(corners.get(vertex), width, height, lines.get(vertex), color(vertex)));
  if (note) drawing.append(charts.svg("text", { x: GRAPH_MARGIN, y: size[1] - GRAPH_MARGIN, fill: "#555" }, note));
  return drawing;
}

// Returns the column and the row of each vertex, and whether edges go down, as `jaxnas.spaces.graphs._places`.
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
  const rows = new Map(), open = below.get(-1).slice().reverse();
  let numRows = 0;
  while (open.length) {
    const vertex = open.pop(), parent = parents.get(vertex);
    rows.set(vertex, parent >= 0 && below.get(parent)[0] === vertex ? rows.get(parent) : numRows++);
    open.push(...below.get(vertex).slice().reverse());
  }
  const down = Math.max(0, ...columns.values()) > Math.max(0, ...rows.values()), order = down ? [rows, columns] : [columns, rows];
  return [new Map(vertices.map((vertex) => [vertex, order.map((places) => places.get(vertex))])), down];
}

function drawLine(source, target, box, down) {
  const [along, across] = down ? [1, 0] : [0, 1];
  const steps = [box[along] + (down ? GRAPH_SPACE : GRAPH_GAP), box[across] + (down ? GRAPH_GAP : GRAPH_SPACE)];
  const start = source[along] + box[along], end = target[along], bend = (end - start) / 2;
  const [from, to] = [source, target].map((place) => place[across] + box[across] / 2);
  const dip = source[across] === target[across] && end - source[along] > steps[0] ? 0.75 * steps[1] : 0;
  const points = [[start, from], [start + bend, from + dip], [end - bend, to + dip], [end, to]];
  const [first, ...others] = points.map((point) => `${point[along]} ${point[across]}`);
  return charts.svg("path", { d: `M${first} C${others.join(" ")}`, fill: "none", stroke: "#555", "stroke-width": 1.5 });
}

function drawBox([left, top], width, height, lines, color) {
  const first = top + height / 2 + 4 - 8 * (lines.length - 1);
  const texts = lines.map((line, number) => charts.svg("text", {
    x: left + width / 2, y: first + 16 * number, "text-anchor": "middle", fill: "#222",
  }, line));
  return [charts.svg("rect", { x: left, y: top, width, height, rx: 5, fill: "#fff", stroke: color, "stroke-width": 2 }), ...texts];
}
