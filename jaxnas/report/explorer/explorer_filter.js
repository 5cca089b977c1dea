// The filter of the explorer: a check box for each value of each decision. Decisions that follow each other and have
// the same values are the rows of a table, any other is a line.
"use strict";

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

  // A button that switches its places off where all are on, and on otherwise; without a text it says so.
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
