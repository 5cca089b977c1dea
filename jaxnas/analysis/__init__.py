"""Analysis: what runs show. Regret and optima, tests and their power, which decisions matter and why a network is good.

For example `jn.analysis.pairwise(regrets)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Confirmed": "analysis.confirmation",
    "NetworkExplanation": "analysis.networks",
    "Optimum": "analysis.optima",
    "ablation_path": "analysis.attribution",
    "confirmed": "analysis.confirmation",
    "explain_network": "analysis.networks",
    "explained_by_table": "analysis.explain",
    "incumbents": "analysis.incumbent",
    "insertion": "analysis.motif_effects",
    "motifs": "analysis.motif_effects",
    "num_runs_for_power": "analysis.power_analysis",
    "optimum": "analysis.optima",
    "pairwise": "analysis.pairs",
    "power": "analysis.power_analysis",
    "scored_by_table": "analysis.score_models",
    "scored_by_trials": "analysis.score_models",
    "shapley": "analysis.attribution",
    "to_frame": "analysis.frames",
    "until_decided": "analysis.sequential",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
