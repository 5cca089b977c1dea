// The page of a search: the scores that it observed, and how the best network learned.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { units } = data;
  const scaled = (values) => values.map((value) => (value === null ? null : units.score * value));
  const numbers = (values) => values.map((_, n) => n);
  const text = (value) => (units.is_percent ? `${value.toFixed(2)} %` : String(Number(value.toPrecision(5))));

  for (const part of document.querySelectorAll(".screen-script, button[data-copy]")) part.hidden = false;

  const told = { name: "observed", color: "var(--baseline)", width: 0, markers: true, x: numbers(data.scores), y: scaled(data.scores) };
  const best = { name: "best so far", ...charts.style(0), step: true, x: told.x, y: scaled(data.best) };
  charts.lineChart(document.getElementById("history-chart"), {
    label: "History", ascending: false, series: [told, best],
    x: { title: "trial", kind: "linear", whole: true }, y: { title: data.told, kind: "linear" },
    stopTitle: (trial) => `trial ${trial}`, text: (series, n) => text(series.y[n]),
  });

  if (data.training) {
    const series = ["train", "test"].filter((split) => data.training[split]).map((name, n) => {
      const y = scaled(data.training[name]);
      return { name, ...charts.style(n), x: y.map((_, epoch) => epoch + 1), y };
    });
    charts.lineChart(document.getElementById("training-chart"), {
      label: "Training", ascending: false, height: 300, series,
      x: { title: "epoch", kind: "linear", whole: true }, y: { title: data.measured, kind: "linear" },
      stopTitle: (epoch) => `epoch ${epoch}`, text: (each, n) => text(each.y[n]),
    });
  }
  actions.listen(data);
})();
