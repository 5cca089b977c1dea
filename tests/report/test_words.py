"""What reports say in words."""

from jaxnas.analysis.several import overall
from jaxnas.report.sentences import overall_finding, separation_text


def test_a_line_says_which_strategies_are_not_separated_from_the_best():
    strategies = {"a": {"mean_rank": 2.0}, "b": {"mean_rank": 1.5}, "c": {"mean_rank": 2.5}}
    p_values = {("a", "b"): 0.06, ("a", "c"): 0.5, ("b", "c"): 0.04}
    pairs = [{"first": first, "second": second, "p_holm": value} for (first, second), value in p_values.items()]
    text = separation_text({"strategies": strategies, "pairwise": pairs})
    assert text == "Not separated from the best, b, at 5 % (Holm): a."
    strategies["c"]["mean_rank"] = 1.0
    assert separation_text({"strategies": strategies, "pairwise": pairs[2:]}).endswith("c, at 5 % (Holm): none.")


def test_a_sentence_says_which_strategies_are_best_over_tables():
    def results(means: list[list[float]]) -> list[dict]:
        found = [
            {"benchmark": str(n), "num_trials": 9, "strategies": {name: {"regret_mean": [mean]} for name, mean in each}}
            for n, each in enumerate(zip("abc", means, strict=False) for means in means)
        ]
        return [each | {"overall": overall(found)} for each in found]

    clear, first = (
        [[1, 2, 3]] * 8,
        "Over 8 tables a has the best average rank, 1.00. Lowest mean regret after 9 trials: ",
    )
    assert overall_finding(results(clear)) == f"{first}a on 8. Not separated from it at 5 % (Nemenyi): b."
    assert overall_finding(results(clear * 2)).endswith(
        "a on 16. Every other strategy is separated from it at 5 % (Nemenyi)."
    )
    tied = overall_finding(results([[1, 2, 3], [2, 1, 3]]))
    assert tied.startswith("Over 2 tables a and b share the best average rank, 1.50. Lowest mean")
    assert tied.endswith("b on 1, a on 1. No test over benchmarks: it takes 3 of them, and two strategies.")
    assert overall_finding(results([[1, 2, 3], [3, 2, 1], [2, 1, 3]])).endswith(
        "Friedman's test does not separate the strategies (p = 0.717)."
    )
    assert overall_finding(results([[1]] * 3)) == ""
