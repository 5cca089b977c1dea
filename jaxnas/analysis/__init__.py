"""Analysis: what runs show. Regret and optima, tests and their power, which decisions matter and why a network is good.

For example `jn.analysis.pairwise(regrets)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Confirmed": "analysis.confirmation",
    "NetworkExplanation": "analysis.explanation.networks",
    "Optimum": "analysis.optima",
    "ablation_path": "analysis.explanation.attribution",
    "confirmed": "analysis.confirmation",
    "explain_network": "analysis.explanation.networks",
    "explained_by_table": "analysis.explanation.explain",
    "incumbents": "analysis.incumbent",
    "insertion": "analysis.explanation.motifs",
    "motifs": "analysis.explanation.motifs",
    "num_runs_for_power": "analysis.power_analysis",
    "optimum": "analysis.optima",
    "pairwise": "analysis.pairs",
    "power": "analysis.power_analysis",
    "scored_by_table": "analysis.explanation.score_models",
    "scored_by_trials": "analysis.explanation.score_models",
    "shapley": "analysis.explanation.attribution",
    "to_frame": "analysis.frames",
    "until_decided": "analysis.pairs",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
