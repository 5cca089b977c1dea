"""The memory test of sessions: it exposes a client that has memorized a table, and hardly ever accuses an honest one.

Claim: a client that has memorized the best cells of NAS-Bench-201 is exposed by 10 plain and 10 blinded sessions, with
p < .001 in each of 200 tests; of 200 tests of an honest client, evolution through texts, at most 5 % have p < .05 and
accuse it.
Command: python experiments/validity/memory_test.py [--tests 200] [--pairs 10] [--trials 15]
Run time: four minutes on one core.
Output: for each client the number of tests, of those that accuse it at .05 and at .001, and the mean difference between
plain and blinded regret. Last line: a JSON object with the figures.
Page: docs/sessions.md

Clients know what a session tells them, as texts: they read the decisions in the description and write architectures as
its examples are written. The memorizing one first asks for the ten cells of the best mean test accuracy, then goes on
as the honest one, and finishes with the best that it has seen.
"""

import argparse
import json
import random

import numpy as np

import jaxnas as jn

TABLE = "nb201-cifar10-v1"
NUM_MEMORIZED = 10
POPULATION, SAMPLE = 10, 4


def memorized(bench) -> list[str]:
    """Returns the texts of the best cells, as a language model may know them from papers."""
    rows = np.argsort(-bench.held_out.scores(np.arange(bench.space.num_architectures)[:, None]))[:NUM_MEMORIZED]
    return [bench.space.to_str(bench.space.arch_at(int(row))) for row in rows]


def written(values: list[str], example: str) -> str:
    """Returns the text of the values of all decisions, in the notation of an example."""
    if "|" not in example:
        return "-".join(values)
    first, second, third = values[:1], values[1:3], values[3:]
    return "+".join(f"|{'|'.join(f'{name}~{n}' for n, name in enumerate(node))}|" for node in (first, second, third))


def searched(session: jn.Session, known: list[str], seed: int) -> float:
    """Returns the regret of a client that knows some texts, and otherwise searches by regularized evolution."""
    draw, about = random.Random(seed), session.answer({"request": "describe"})
    options = list(about["decisions"].values())
    population, best = [], (-1.0, "")
    texts, left = list(known), about["left"]
    while left:
        values = None
        if texts:
            text = texts.pop(0)
        else:
            values = [draw.choice(names) for names in options]
            if len(population) >= POPULATION:
                values = list(max(draw.sample(population[-POPULATION:], SAMPLE))[1])
                place = draw.randrange(len(values))
                values[place] = draw.choice([name for name in options[place] if name != values[place]])
            text = written(values, about["examples"][0])
        answer = session.answer({"request": "evaluate", "text": text})
        left = answer["left"]
        if "error" in answer:
            continue
        best = max(best, (answer["score"], text))
        population += [(answer["score"], values)] if values else []
    session.answer({"request": "finish", "text": best[1]})
    return session.end().regret


def regrets(bench, known: list[str], numbers: range, num_trials: int) -> tuple[list[float], list[float]]:
    """Returns the regrets of plain sessions of these numbers and of blinded ones."""
    rules, found = jn.sessions.Rules(num_trials=num_trials), []
    for blinded in (False, True):
        sessions = (jn.Session(bench, rules, number=n, blind=n if blinded else None) for n in numbers)
        found.append([searched(session, known, 2 * session.number + blinded) for session in sessions])
    return found[0], found[1]


def simulated(bench, known: list[str], options: argparse.Namespace) -> dict[str, float]:
    """Returns how often the memory test accuses a client."""
    starts = range(0, options.tests * options.pairs, options.pairs)
    parts = [range(start, start + options.pairs) for start in starts]
    tests = [jn.sessions.memory_test(*regrets(bench, known, part, options.trials)) for part in parts]
    accused = np.asarray([each.p_value if each.difference < 0 else 1.0 for each in tests])
    return {
        "tests": len(tests),
        "accused_05": int((accused <= 0.05).sum()),
        "accused_001": int((accused < 0.001).sum()),
        "largest_p": float(accused.max()),
        "difference_mean": float(np.mean([each.difference for each in tests])),
    }


def main() -> None:
    """Simulates tests of both clients, and prints how often they are accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--trials", type=int, default=15)
    options = parser.parse_args()
    bench = jn.load(TABLE)
    found = {}
    for client, known in (("memorizing", memorized(bench)), ("honest", [])):
        found[client] = simulated(bench, known, options)
        print(client, found[client], flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
