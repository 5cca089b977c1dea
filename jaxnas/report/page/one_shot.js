// The page of a one-shot search: probabilities of choices, edges without parameters, and losses over the steps.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { steps } = data;

  for (const part of document.querySelectorAll(".screen-script, button[data-copy]")) part.hidden = false;

  function overSteps(id, label, title, series, more = {}) {
    charts.lineChart(document.getElementById(id), {
      label, ascending: false, height: 240,
      series: series.map((each, n) => ({ ...charts.style(n), x: steps, ...each })),
      x: { title: "step", kind: "linear", whole: true }, y: { title, kind: "linear", ...more },
      stopTitle: (step) => `step ${step}`, text: (each, n) => charts.format(each.y[n]),
    });
  }

  data.decisions.forEach((decision, number) =>
    overSteps(`decision-${number}`, decision.name, "probability", decision.series, { from: 0 }));
  if (data.parameter_free && document.getElementById("free-chart")) {
    const y = data.parameter_free.slice(0, steps.length);
    overSteps("free-chart", "Edges without parameters", "edges", [{ name: "most probable cell", y }], { from: 0 });
  }
  overSteps("loss-chart", "Losses", "loss", [...data.losses, ...data.alpha_losses]);
  actions.listen(data);
})();
