// What the parts of the explorer share: elements and texts. Each part (filter, plot, detail, list) is given what is known
// (arrays, space, scores, axes), the page's state, and the function that selects a row.
"use strict";

const byId = (id) => document.getElementById(id);
const whole = (value) => (Math.round(value) + 0).toLocaleString("en");

const sizeName = (name) => {
  const unit = facts.size_units[name], shown = name === "flops" ? "FLOPs" : name.replaceAll("_", " ");
  return unit ? `${shown} (${unit})` : shown;
};
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

// The title of an axis of scores; ticks of percent bear their sign.
const scoreTitle = (split) => `${split} ${units.metric}${units.unit && !units.is_percent ? ` (${units.unit})` : ""}`;

// A number in the unit of the metric; those of other units than percent differ in size.
const numberText = (value) => (units.is_percent ? value.toFixed(2) : String(Number(value.toPrecision(5))));

// A score at an axis; with a step between ticks, with the digits that tell them apart.
function tickText(value, step) {
  const number = units.score * value, apart = step === undefined ? undefined : units.score * step;
  if (!units.is_percent) return charts.format(number, apart);
  return `${step === undefined ? Number(number.toFixed(2)) : charts.format(number, apart)} %`;
}

function differenceText(value) {
  if (!Number.isFinite(value)) return "";
  const number = units.score * value;
  return `${number < 0 ? "−" : "+"}${numberText(Math.abs(number))}`;
}

// The size of a difference of scores, such as a standard deviation.
const gapText = (value) => numberText(units.gap * value);
