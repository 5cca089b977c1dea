// What the parts of the explorer share: elements and texts. Each part (filter, plot, detail, list) is given what is known
// (arrays, space, scores, axes), the page's state, and the function that selects a row.
"use strict";

const byId = (id) => document.getElementById(id);
const whole = (value) => Math.round(value).toLocaleString("en");

function button(content, press, attributes = {}) {
  const made = charts.html("button", { type: "button", ...attributes }, ...[content].flat());
  made.addEventListener("click", press);
  return made;
}

// Text that may be broken after some marks, by default those between the parts of an architecture's name.
function breakable(text, after = /(?<=[|+/])/) {
  return text.split(after).flatMap((part) => [part, charts.html("wbr")]);
}

function scoreText(value) {
  if (!Number.isFinite(value)) return "none";
  return facts.percent ? `${(100 * value).toFixed(2)} %` : String(Number(value.toPrecision(5)));
}

// A score at an axis.
const tickText = (value) => (facts.percent ? `${Number((100 * value).toFixed(2))} %` : charts.format(value));

function differenceText(value) {
  if (!Number.isFinite(value)) return "";
  return `${value < 0 ? "−" : "+"}${scoreText(Math.abs(value)).replace(" %", "")}`;
}
