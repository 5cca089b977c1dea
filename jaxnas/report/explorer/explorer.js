// The explorer of a table: state, filter, search, and the drawing of plot, details and list by the functions of
// the other files.
"use strict";

async function explore() {
  const arrays = await unpackedArrays();
  const space = makeSpace(arrays), scores = makeScores(arrays);
  const known = { arrays, space, scores, axes: axesOf(arrays, scores) };
  const state = {
    split: "validation",
    against: Object.keys(known.axes)[0],
    zoom: 1,
    row: firstRow(space, scores),
    allowed: facts.decisions.map(({ values }) => values.map(() => true)),
    matches: new Uint8Array(facts.num_classes),
  };
  const plot = makePlot(known, state, select);
  const list = makeList(known, state, select);
  const detail = makeDetail(known, state, select);

  function applyFilter() {
    const limited = [...state.allowed.keys()].filter((number) => !state.allowed[number].every(Boolean));
    let numMatching = 0;
    state.matches.fill(0);
    for (let row = 0; row < facts.num_architectures; row++) {
      if (!limited.every((number) => state.allowed[number][space.choice(row, number)])) continue;
      state.matches[space.classOf[row]] = 1;
      numMatching++;
    }
    const numClasses = state.matches.reduce((sum, each) => sum + each, 0);
    const inClasses = arrays.class_of ? `, in ${whole(numClasses)} of ${whole(facts.num_classes)} classes` : "";
    byId("matches").textContent = `${whole(numMatching)} of ${whole(facts.num_architectures)} architectures match${inClasses}.`;
    plot.draw();
    list.restart();
  }

  function select(row) {
    state.row = row;
    plot.mark();
    list.mark();
    detail.show();
    history.replaceState(null, "", `#${row}`);
    byId("said").textContent = spoken(known, state, row);
  }

  function search(wanted) {
    const { row, note } = found(wanted, known, state);
    byId("found").textContent = note;
    if (row !== null) select(row);
  }

  function showSplit() {
    byId("split-note").textContent = state.split === "validation"
      ? "Validation scores are what a search sees and chooses by."
      : "Test scores are for reporting what was chosen by validation; whoever chooses by them reports too much.";
    plot.draw();
    list.restart();
    detail.show();
  }

  makeFilter(state.allowed, applyFilter);
  byId("switches").open = window.matchMedia("(min-width: 40rem)").matches;
  byId("against").append(...Object.entries(known.axes).map(([value, { label }]) => charts.html("option", { value }, label)));
  byId("against").addEventListener("change", (event) => ((state.against = event.target.value), plot.draw()));
  byId("zoom").addEventListener("change", (event) => ((state.zoom = Number(event.target.value)), plot.draw()));
  byId("splits").addEventListener("change", (event) => ((state.split = event.target.value), showSplit()));
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    search(byId("wanted").value.trim());
  });
  applyFilter();
  showSplit();
}

// What a screen reader says of a row that was selected.
function spoken({ space, scores }, { split }, row) {
  const number = space.classOf[row], value = scores.mean[split][number];
  const rank = Number.isFinite(value) ? `, rank ${whole(scores.rank[split][number])}` : "";
  return `Row ${whole(row)}, ${split} ${scoreText(value)}${rank}: ${space.text(row)}`;
}

// What points can be drawn against: title of the axis, label of the switch, values of the classes, text of a value.
function axesOf(arrays, scores) {
  const axes = {};
  for (const name of facts.varying) {
    const title = name === "flops" ? "FLOPs (multiply-accumulates for one example)" : name;
    axes[name] = { title, label: sizeName(name), of: () => arrays[name], text: sizeText };
  }
  axes.rank = { title: "rank, 1 is best", label: "rank", of: (split) => scores.rank[split], text: whole };
  if (facts.fidelities.length > 1) {
    const label = facts.fidelity_names
      ? `validation at ${facts.fidelity_names[0]}` : `validation after epoch ${facts.fidelities[0]}`;
    axes.first = { title: label, label, of: () => scores.mean.first, text: tickText };
  }
  return axes;
}

// The row in the address, or else that of the best class.
function firstRow(space, scores) {
  const asked = location.hash.slice(1);
  if (/^\d+$/.test(asked) && Number(asked) < facts.num_architectures) return Number(asked);
  return space.representatives[scores.order.validation[0] ?? 0];
}

// Returns the row that is wanted, a number or a text that is an architecture's name or within it, and what to say.
function found(wanted, { space, scores }, state) {
  if (/^\d+$/.test(wanted)) {
    const row = Number(wanted);
    if (row < facts.num_architectures) return { row, note: "" };
    return { row: null, note: `Expected a row below ${whole(facts.num_architectures)}, got ${wanted}.` };
  }
  const values = scores.mean[state.split];
  const valueOf = (row) => (Number.isFinite(values[space.classOf[row]]) ? values[space.classOf[row]] : -Infinity);
  let best = null, count = 0;
  for (let row = 0; row < facts.num_architectures; row++) {
    const text = space.text(row);
    if (text === wanted) return { row, note: "" };
    if (!wanted || !text.includes(wanted)) continue;
    count++;
    if (best === null || valueOf(row) > valueOf(best)) best = row;
  }
  if (best === null) return { row: null, note: `Expected a row or an architecture such as ${space.text(0)}.` };
  return { row: best, note: `The best of ${whole(count)} architectures with this in their names.` };
}

explore().catch((error) => {
  byId("matches").textContent = `This page could not be drawn (it needs a browser of 2023 or later): ${error.message}`;
  throw error;
});
