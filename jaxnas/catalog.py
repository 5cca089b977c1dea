"""The names behind spaces, tasks, strategies, proxies, predictors, one-shot methods and importers, one line each; also
`file.py:NAME`.
"""

import ast
import importlib
import importlib.machinery
import importlib.util
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxnas.checks import unknown_name

SPACES = {
    "nb201": "jaxnas.spaces.cells.space:NB201",
    "nb201x5": "jaxnas.spaces.cells.space:NB201X5",
    "hierarchical-cell": "jaxnas.spaces.cells.hierarchical:HIERARCHICAL_CELL",
    "nb101": "jaxnas.spaces.nasbench101.space:NB101",
    "nats-sss": "jaxnas.spaces.sizes.space:NATS_SSS",
    "nb-macro": "jaxnas.spaces.macro.space:NB_MACRO",
    "nb-graph": "jaxnas.spaces.graph_networks.space:NB_GRAPH",
    "nb-graph-proteins": "jaxnas.spaces.graph_networks.space:NB_GRAPH_PROTEINS",
    "graph-networks": "jaxnas.spaces.graph_networks.space:GRAPH_NETWORKS",
    "transnas-micro": "jaxnas.spaces.transnas:TRANSNAS_MICRO",
    "transnas-macro": "jaxnas.spaces.transnas:TRANSNAS_MACRO",
    "darts": "jaxnas.spaces.darts.space:DARTS",
    "recurrent": "jaxnas.spaces.recurrent.space:RECURRENT",
    "recurrent-3": "jaxnas.spaces.recurrent.space:RECURRENT_3",
    "recurrent-4": "jaxnas.spaces.recurrent.space:RECURRENT_4",
    "transformer-tiny": "jaxnas.spaces.transformers.space:TRANSFORMER_TINY",
    "transformer-small": "jaxnas.spaces.transformers.space:TRANSFORMER_SMALL",
    "mlp": "jaxnas.spaces.perceptrons.space:MLP",
    "mlp-small": "jaxnas.spaces.perceptrons.space:SMALL_MLP",
    "joint-small": "jaxnas.spaces.joint.space:JOINT_SMALL",
}
DEFAULT_TASKS = {"images": "shifted-digits", "sequences": "digits-rows", "graphs": "solubility"}
"""The default tasks on which networks are described, by the kind of inputs that they take."""
SEQUENCE_SPACE = "recurrent"
"""The default space of estimators for strings and sequences."""
TASKS = {
    "digits": "jaxnas.tasks.digits:digits",
    "shifted-digits": "jaxnas.tasks.digits:shifted_digits",
    "mnist5k": "jaxnas.tasks.mnist5k:mnist5k",
    "digits-rows": "jaxnas.tasks.digits_rows:digits_rows",
    "names-gender": "jaxnas.tasks.vendored:names_gender",
    "words-language": "jaxnas.tasks.words_language:words_language",
    "kjv-characters": "jaxnas.tasks.kjv_characters:kjv_characters",
    "mnist1d": "jaxnas.tasks.vendored:mnist1d",
    "japanese-vowels": "jaxnas.tasks.vendored:japanese_vowels",
    "spoken-digits": "jaxnas.tasks.vendored:spoken_digits",
    "solubility": "jaxnas.tasks.vendored:solubility",
    "brackets": "jaxnas.tasks.generated:brackets",
    "copy": "jaxnas.tasks.generated:copy",
    "hmm": "jaxnas.tasks.generated:hmm",
}
STRATEGIES = {
    "random_search": "jaxnas.strategies.random_search:random_search",
    "exhaustive_search": "jaxnas.strategies.exhaustive_search:exhaustive_search",
    "local_search": "jaxnas.strategies.local_search:local_search",
    "regularized_evolution": "jaxnas.strategies.regularized_evolution:regularized_evolution",
    "genetic_algorithm": "jaxnas.strategies.genetic_algorithm:genetic_algorithm",
    "simulated_annealing": "jaxnas.strategies.simulated_annealing:simulated_annealing",
    "cross_entropy": "jaxnas.strategies.cross_entropy:cross_entropy",
    "reinforce": "jaxnas.strategies.reinforce:reinforce",
    "reward_weighted_sampling": "jaxnas.strategies.reward_weighted_sampling:reward_weighted_sampling",
    "tree_parzen_estimator": "jaxnas.strategies.tree_parzen_estimator:tree_parzen_estimator",
    "gaussian_process": "jaxnas.strategies.gaussian_process:gaussian_process",
    "bananas": "jaxnas.strategies.bananas:bananas",
    "predictor_guided": "jaxnas.strategies.predictor_guided:predictor_guided",
    "multi_objective_evolution": "jaxnas.strategies.multi_objective_evolution:multi_objective_evolution",
    "nsga2": "jaxnas.strategies.nsga2:nsga2",
    "successive_halving": "jaxnas.strategies.successive_halving:successive_halving",
    "hyperband": "jaxnas.strategies.hyperband:hyperband",
    "asynchronous_halving": "jaxnas.strategies.asynchronous_halving:asynchronous_halving",
    "bohb": "jaxnas.strategies.bohb:bohb",
}
DEFAULT_STRATEGY = "gaussian_process"
"""The default strategy of a search; docs/strategies.md has the measurement."""
PROXIES = {
    "params": "jaxnas.predictors.zero_cost.sizes:PARAMS",
    "flops": "jaxnas.predictors.zero_cost.sizes:FLOPS",
    "n_conv": "jaxnas.predictors.zero_cost.sizes:N_CONV",
    "l2_norm": "jaxnas.predictors.zero_cost.gradients:L2_NORM",
    "grad_norm": "jaxnas.predictors.zero_cost.gradients:GRAD_NORM",
    "grad_norm_global": "jaxnas.predictors.zero_cost.gradients:GRAD_NORM_GLOBAL",
    "snip": "jaxnas.predictors.zero_cost.gradients:SNIP",
    "plain": "jaxnas.predictors.zero_cost.gradients:PLAIN",
    "grasp": "jaxnas.predictors.zero_cost.second_order:GRASP",
    "fisher": "jaxnas.predictors.zero_cost.gradients:FISHER",
    "synflow": "jaxnas.predictors.zero_cost.synflow:SYNFLOW",
    "jacov": "jaxnas.predictors.zero_cost.jacobians:JACOV",
    "epe_nas": "jaxnas.predictors.zero_cost.jacobians:EPE_NAS",
    "nwot": "jaxnas.predictors.zero_cost.activations:NWOT",
    "relu_distance": "jaxnas.predictors.zero_cost.activations:RELU_DISTANCE",
    "swap": "jaxnas.predictors.zero_cost.activations:SWAP",
    "zico": "jaxnas.predictors.zero_cost.gradients:ZICO",
    "zen": "jaxnas.predictors.zero_cost.zen:ZEN",
    "meco": "jaxnas.predictors.zero_cost.meco:MECO",
    "az_expressivity": "jaxnas.predictors.zero_cost.az:AZ_EXPRESSIVITY",
    "az_progressivity": "jaxnas.predictors.zero_cost.az:AZ_PROGRESSIVITY",
    "az_trainability": "jaxnas.predictors.zero_cost.az:AZ_TRAINABILITY",
    "ntk_cond": "jaxnas.predictors.zero_cost.examples:NTK_COND",
    "ntk_trace": "jaxnas.predictors.zero_cost.examples:NTK_TRACE",
    "linear_regions": "jaxnas.predictors.zero_cost.activations:LINEAR_REGIONS",
    "gradsign": "jaxnas.predictors.zero_cost.examples:GRADSIGN",
}
PREDICTORS = {
    "blr": "jaxnas.predictors.gaussian:blr",
    "knn": "jaxnas.predictors.neighbors:knn",
    "rf": "jaxnas.predictors.trees:rf",
    "hist_gb": "jaxnas.predictors.trees:hist_gb",
    "xgb": "jaxnas.predictors.trees:xgb",
    "lgb": "jaxnas.predictors.trees:lgb",
    "gp_rbf": "jaxnas.predictors.gaussian:gp_rbf",
    "gp_hamming": "jaxnas.predictors.gaussian:gp_hamming",
    "gp_wl": "jaxnas.predictors.weisfeiler_lehman:gp_wl",
    "mlp": "jaxnas.predictors.mlp:mlp",
    "dngo": "jaxnas.predictors.mlp:dngo",
    "gcn": "jaxnas.predictors.gcn:gcn",
    "last_value": "jaxnas.predictors.learning_curves:last_value",
    "best_value": "jaxnas.predictors.learning_curves:best_value",
    "sotl": "jaxnas.predictors.learning_curves:sotl",
    "sotl_e": "jaxnas.predictors.learning_curves:sotl_e",
    "lcsvr": "jaxnas.predictors.learning_curves:lcsvr",
    "extrapolation": "jaxnas.predictors.learning_curves:extrapolation",
    "column": "jaxnas.predictors.columns:column",
    "column_gp": "jaxnas.predictors.columns:column_gp",
    "omni": "jaxnas.predictors.columns:omni",
}
IMPORTERS = {
    "nats-tss": "jaxnas.tables.published.nats_topology:read",
    "nats-sss": "jaxnas.tables.published.nats_size:read",
    "nb201": "jaxnas.tables.published.nasbench201:read",
    "nb101": "jaxnas.tables.published.nasbench101:read",
    "nb-macro": "jaxnas.tables.published.macro:read",
    "nb-graph": "jaxnas.tables.published.graph_bench:read",
    "transnas": "jaxnas.tables.published.transnas:read",
    "nb-asr": "jaxnas.tables.published.asr:read",
    "hw-nas-bench": "jaxnas.tables.published.hardware:read",
    "help": "jaxnas.tables.published.help_latencies:read",
    "suite-zero": "jaxnas.tables.published.zero_cost:read",
}
ONE_SHOT = {
    "darts": "jaxnas.search.one_shot.methods:darts",
    "darts2": "jaxnas.search.one_shot.methods:darts2",
    "gdas": "jaxnas.search.one_shot.methods:gdas",
    "gdas_reference": "jaxnas.search.one_shot.methods:gdas_reference",
    "gdas_full": "jaxnas.search.one_shot.methods:gdas_full",
    "snas": "jaxnas.search.one_shot.methods:snas",
    "drnas": "jaxnas.search.one_shot.methods:drnas",
    "pc_darts": "jaxnas.search.one_shot.methods:pc_darts",
    "beta_darts": "jaxnas.search.one_shot.methods:beta_darts",
    "sdarts_random": "jaxnas.search.one_shot.methods:sdarts_random",
    "sdarts_adversarial": "jaxnas.search.one_shot.methods:sdarts_adversarial",
    "darts_pt": "jaxnas.search.one_shot.methods:darts_pt",
    "rsps": "jaxnas.search.one_shot.methods:rsps",
    "spos": "jaxnas.search.one_shot.methods:spos",
    "fairnas": "jaxnas.search.one_shot.methods:fairnas",
    "enas": "jaxnas.search.one_shot.methods:enas",
    "sandwich": "jaxnas.search.one_shot.methods:sandwich",
}
PUBLISHED = {
    "local_search": "jaxnas.evidence.reproduce.local_search:RESULT",
    "nasbench101_search": "jaxnas.evidence.reproduce.nasbench101_search:RESULT",
    "nats_search": "jaxnas.evidence.reproduce.nats_search:RESULT",
    "nb201_tables": "jaxnas.evidence.reproduce.nb201_tables:RESULT",
}
"""Published results that `jaxnas reproduce` computes again."""

OWN = {
    "strategy": "A custom strategy is a function of a space that returns a jn.Strategy (docs/strategies.md).",
    "method": "A custom method is a function of a space that returns a jn.oneshot.Method (docs/one_shot.md).",
    "predictor": "A custom predictor, such as a regressor of scikit-learn, is a function of a space that "
    "returns a jn.predictors.Predictor of two functions, fit and predict (docs/predictors.md has one).",
    "proxy": "A custom proxy is a jn.proxies.Proxy of a pass, whose function (networks, arch, key, batch) "
    "measures a network, and of a score (docs/proxies.md has one).",
}
USER_FILE = "jaxnas_user_file_"
"""The prefix of the module names of user files."""


def found(kind: str, name: str, known: dict[str, str]) -> Any:
    """Returns the object of a name, or of `file.py:NAME`. Raises ValueError on an unknown name.

    Args:
        kind: the expected kind of object, as worded in messages: "a task".
        known: one of the dicts above.
    """
    if not isinstance(name, str):
        hint = OWN.get(kind.partition(" ")[2], "Names are strings.")
        raise ValueError(f"{hint} Expected the name of {kind}, or file.py:NAME, got {type(name).__name__}.")
    if name in known:
        return find(name, known)
    if name.endswith(".py"):
        raise ValueError(f"Say what in the file it is, by {name}:NAME. Expected {kind}, got {name!r}.")
    if not name.rpartition(":")[0].endswith(".py"):
        raise unknown_name(kind, name, known)
    return load(name)


def factory(kind: str, name: str, known: dict[str, str]) -> Callable[..., Any]:
    """Returns the factory behind a name, a function of a space. Raises ValueError if it is not a function."""
    made_by = found(f"a {kind}", name, known)
    if not callable(made_by) or isinstance(made_by, tuple):
        raise ValueError(f"{OWN[kind]} Expected {name} to be a function, got {type(made_by).__name__}.")
    return made_by


def made(kind: str, expected: type, maker: Callable[..., Any], space: Any, more: Mapping[str, Any] = {}) -> Any:
    """Returns the object that a maker of a `kind` (see `OWN`) makes. Raises ValueError on failures and other types."""
    if not callable(maker):
        raise ValueError(f"{OWN[kind]} Expected {kind} to be a function, got {maker!r}.")
    name = getattr(maker, "__name__", type(maker).__name__)
    try:
        found = maker(space, **more)
    except (TypeError, NameError, AttributeError, LookupError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = "" if last.filename == __file__ else f" ({Path(last.filename).name}, line {last.lineno})"
        raise ValueError(f"{name}(space) failed, {type(error).__name__}: {error}{place}. {OWN[kind]}") from error
    if not isinstance(found, expected):
        raise ValueError(f"{OWN[kind]} Expected {name} to return a {kind.capitalize()}, got {type(found).__name__}.")
    return found


def space_types() -> dict[str, type]:
    """Returns the classes that a saved model may name: the classes of the catalog's spaces, and `Decision`."""
    spaces = (find(name, SPACES) for name in SPACES)
    return {each.__name__: each for each in (load("jaxnas.spaces.decisions:Decision"), *map(type, spaces))}


def find(name: str, known: dict[str, str]) -> Any:
    """Returns the object behind a name of one of the dicts above."""
    return getattr(_module(name, known), known[name].partition(":")[2])


def in_file(name: object, known: dict[str, str]) -> Any:
    """Returns the object behind a name that a file holds; None for all but the names of one of the dicts above.

    Every name in a folder is looked up here. So no text in a file leads to an import of something else.
    """
    return find(name, known) if isinstance(name, str) and name in known else None


def lazy(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` of a module that loads the names of its stub on use."""
    names = names_of_stub(Path(file).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = names[name]
        return getattr(importlib.import_module(module), attribute)

    return get, lambda: sorted(names)


def names_of_stub(stub: Path) -> dict[str, tuple[str, str]]:
    """Returns the names that a stub imports, each with its module and its name there."""
    imports = [line for line in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(line, ast.ImportFrom)]
    return {each.asname or each.name: (line.module or "", each.name) for line in imports for each in line.names}


def load(name: str) -> Any:
    """Returns the object of `module:NAME` or `path/to/file.py:NAME`. Raises ValueError if it does not exist."""
    module_name, _, attribute = name.rpartition(":")
    if module_name.endswith(".py"):
        module = _import_file(Path(module_name))
    else:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise ValueError(f"Expected {module_name} to be an importable module, got: {error}.") from None
    if not hasattr(module, attribute):
        raise unknown_name(f"a name in {module_name}", attribute, (each for each in vars(module) if each[0] != "_"))
    return getattr(module, attribute)


def cites(name: str, known: dict[str, str]) -> tuple[str, ...]:
    """Returns the keys of `report/references.bib` to cite for a name of one of the dicts above.

    They are the constant `CITES` of its module, a dict by name in a module of several; empty without a paper.
    """
    found = _module(name, known).CITES
    return found[name] if isinstance(found, dict) else found


def _module(name: str, known: dict[str, str]) -> ModuleType:
    return importlib.import_module(known[name].partition(":")[0])


def _import_file(path: Path) -> ModuleType:
    """Returns the module of a file, reloaded if the file has changed."""
    path = path.resolve()
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    name, modified = f"{USER_FILE}{zlib.crc32(str(path).encode()):08x}", path.stat().st_mtime_ns
    before = sys.modules.get(name)
    if before is not None and before.__spec__ is not None and before.__spec__.loader_state == modified:
        return before
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.machinery.ModuleSpec(name, loader, origin=str(path), loader_state=modified)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be imported, {type(error).__name__}: {error}.") from error
    return module
