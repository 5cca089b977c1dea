// What the parts of the explorer share: elements and texts. Each part (filter, plot, detail, list) is given what is known
// (arrays, space, scores, axes), the page's state, and the function that selects a row.
"use strict";

const byId = (id) => document.getElementById(id);
const whole = (value) => (Math.round(value) + 0).toLocaleString("en");

const sizeName = (name) => (name === "flops" ? "FLOPs" : name);
const sizeText = (value) => (Number.isInteger(value) ? whole(value) : charts.format(value));

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
  return `${numberText(units.score * value)} ${units.unit}`.trim();
}

// A number in the unit of the metric; those of other units than percent differ in size.
const numberText = (value) => (units.is_percent ? value.toFixed(2) : String(Number(value.toPrecision(5))));

// A score at an axis.
function tickText(value) {
  const number = units.score * value;
  return `${units.is_percent ? Number(number.toFixed(2)) : charts.format(number)}${units.is_percent ? " %" : ""}`;
}

function differenceText(value) {
  if (!Number.isFinite(value)) return "";
  const number = units.score * value;
  return `${number < 0 ? "−" : "+"}${numberText(Math.abs(number))}`;
}

// The size of a difference of scores, such as a standard deviation.
const gapText = (value) => numberText(units.gap * value);
