"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.analysis.confirmation import Confirmed
from jaxnas.analysis.confirmation import confirmed
from jaxnas.analysis.explanation.attribution import ablation_path
from jaxnas.analysis.explanation.attribution import shapley
from jaxnas.analysis.explanation.explain import explained_by_table
from jaxnas.analysis.explanation.motifs import insertion
from jaxnas.analysis.explanation.motifs import motifs
from jaxnas.analysis.explanation.networks import NetworkExplanation
from jaxnas.analysis.explanation.networks import explain_network
from jaxnas.analysis.explanation.score_models import scored_by_table
from jaxnas.analysis.explanation.score_models import scored_by_trials
from jaxnas.analysis.frames import to_frame
from jaxnas.analysis.incumbent import incumbents
from jaxnas.analysis.optima import Optimum
from jaxnas.analysis.optima import optimum
from jaxnas.analysis.pairs import pairwise
from jaxnas.analysis.pairs import until_decided
from jaxnas.analysis.power_analysis import num_runs_for_power
from jaxnas.analysis.power_analysis import power
from jaxnas.analysis.surrogates import fit_surrogate

__all__ = [
    "Confirmed",
    "NetworkExplanation",
    "Optimum",
    "ablation_path",
    "confirmed",
    "explain_network",
    "explained_by_table",
    "fit_surrogate",
    "incumbents",
    "insertion",
    "motifs",
    "num_runs_for_power",
    "optimum",
    "pairwise",
    "power",
    "scored_by_table",
    "scored_by_trials",
    "shapley",
    "to_frame",
    "until_decided",
]
