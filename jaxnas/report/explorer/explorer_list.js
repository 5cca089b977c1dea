// The list of the classes that match, sorted by a column, a page at a time.
"use strict";

const PAGE_SIZE = 25;

function makeList({ arrays, space, scores }, state, select) {
  const columns = [
    { name: "rank", values: () => scores.rank[state.split], text: whole, ascending: true },
    { name: "architecture", values: () => space.representatives, ascending: true },
    { name: "validation", values: () => scores.mean.validation, text: scoreText },
    { name: "test", values: () => scores.mean.test, text: scoreText },
    ...facts.sizes.map((name) => ({ name: sizeName(name), values: () => arrays[name], text: sizeText, ascending: true })),
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
