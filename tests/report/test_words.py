"""What reports say in words."""

from jaxnas.report.sentences import separation_text


def test_a_line_says_which_strategies_are_not_separated_from_the_best():
    strategies = {"a": {"mean_rank": 2.0}, "b": {"mean_rank": 1.5}, "c": {"mean_rank": 2.5}}
    p_values = {("a", "b"): 0.06, ("a", "c"): 0.5, ("b", "c"): 0.04}
    pairs = [{"first": first, "second": second, "p_holm": value} for (first, second), value in p_values.items()]
    text = separation_text({"strategies": strategies, "pairwise": pairs})
    assert text == "Not separated from the best, b, at 5 % (Holm): a."
    strategies["c"]["mean_rank"] = 1.0
    assert separation_text({"strategies": strategies, "pairwise": pairs[2:]}).endswith("c, at 5 % (Holm): none.")
