// What every page lets a reader do with its tables and charts: sort, copy, save, light one strategy up.
"use strict";

const actions = (() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Tables: a press on a heading sorts by that column, a second one the other way round.

  function sortable(table) {
    const rows = all("tbody tr", table), headings = all("thead th", table);
    headings.forEach((heading, column) => {
      const made = charts.html("button", { type: "button", class: "sort" }, ...heading.childNodes);
      heading.append(made);
      heading.setAttribute("aria-sort", "none");
      made.addEventListener("click", () => {
        const ascending = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((each) => each.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        rows.sort((a, b) => (ascending ? 1 : -1) * compared(valueOf(a.cells[column]), valueOf(b.cells[column])));
        table.tBodies[0].append(...rows);
      });
    });
  }

  function valueOf(cell) {
    const text = (cell?.dataset.value ?? cell?.textContent ?? "").trim(), number = Number.parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  }

  // Numbers before texts.
  function compared(a, b) {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  }

  // Copies and files

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy), before = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      source.closest("details")?.setAttribute("open", "");
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = before), 2000);
  }

  function download(name, text, type) {
    const link = charts.html("a", { download: name, href: URL.createObjectURL(new Blob([text], { type })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // A chart as the text of an SVG file, with the looks that the style sheet gives it on the screen.
  const STYLES = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "font", "font-weight",
    "text-anchor", "paint-order", "opacity", "visibility",
  ];

  function svgText(drawing) {
    const copied = drawing.cloneNode(true), nodes = all("*", drawing);
    all("*", copied).forEach((node, n) => {
      const found = getComputedStyle(nodes[n]);
      node.setAttribute("style", STYLES.map((name) => `${name}:${found.getPropertyValue(name)}`).join(";"));
    });
    const [, , width, height] = copied.getAttribute("viewBox").split(" ");
    const paper = getComputedStyle(document.body).backgroundColor;
    charts.fill(copied, { xmlns: "http://www.w3.org/2000/svg", width, height }, []);
    copied.prepend(charts.svg("rect", { width, height, fill: paper }));
    return new XMLSerializer().serializeToString(copied);
  }

  function saveButton(figure) {
    const chart = figure.querySelector(".chart");
    const made = charts.html("button", { type: "button", class: "save screen-only" }, "SVG");
    made.setAttribute("aria-label", `save ${chart.id} as SVG`);
    made.addEventListener("click", () => download(`${chart.id}.svg`, svgText(chart.querySelector(".plot > svg")), "image/svg+xml"));
    figure.querySelector(".chart").after(made);
  }

  // Lights one strategy up: the curves, names and rows of all others turn gray. Null: all as they are.

  function light(name) {
    const nameOf = ({ dataset }) => dataset.name ?? dataset.label ?? dataset.band;
    for (const part of all(".chart g[data-name], .chart g[data-label], .chart path[data-band]")) {
      part.classList.toggle("dim", name !== null && nameOf(part) !== name);
      part.classList.toggle("lit", nameOf(part) === name);
    }
    for (const row of all("tr[data-name]")) row.classList.toggle("lit", name !== null && row.dataset.name === name);
  }

  function lightFrom(part, name) {
    part.addEventListener("pointerenter", () => light(name));
    part.addEventListener("pointerleave", () => light(null));
  }

  function listen({ csv = {} } = {}) {
    all("table.sortable").forEach(sortable);
    for (const button of all("button[data-copy]")) button.addEventListener("click", () => copy(button));
    for (const button of all("button[data-csv]")) {
      const name = button.dataset.csv;
      button.hidden = !(name in csv);
      button.addEventListener("click", () => download(`${name}.csv`, csv[name], "text/csv"));
    }
    all("figure:has(> .chart)").forEach(saveButton);
    for (const row of all("tr[data-name]")) lightFrom(row, row.dataset.name);
    addEventListener("beforeprint", () => all("details").forEach((part) => (part.open = true)));
  }

  return { listen, light, lightFrom };
})();
