"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.analysis.attribution import ablation_path as ablation_path
from jaxnas.analysis.attribution import shapley as shapley
from jaxnas.analysis.confirmation import Confirmed as Confirmed
from jaxnas.analysis.confirmation import confirmed as confirmed
from jaxnas.analysis.explain import explained_by_table as explained_by_table
from jaxnas.analysis.frames import to_frame as to_frame
from jaxnas.analysis.incumbent import incumbents as incumbents
from jaxnas.analysis.motif_effects import insertion as insertion
from jaxnas.analysis.motif_effects import motifs as motifs
from jaxnas.analysis.networks import NetworkExplanation as NetworkExplanation
from jaxnas.analysis.networks import explain_network as explain_network
from jaxnas.analysis.optima import Optimum as Optimum
from jaxnas.analysis.optima import optimum as optimum
from jaxnas.analysis.pairs import pairwise as pairwise
from jaxnas.analysis.power_analysis import num_runs_for_power as num_runs_for_power
from jaxnas.analysis.power_analysis import power as power
from jaxnas.analysis.score_models import scored_by_table as scored_by_table
from jaxnas.analysis.score_models import scored_by_trials as scored_by_trials
from jaxnas.analysis.sequential import until_decided as until_decided
