"""What a model is given: wrong data are one line, lists of unequal length are padded."""

import numpy as np
import pytest

from jaxnas.tasks.base import TaskSpec
from jaxnas.training.inputs import Inputs, normalized

CLASSES = np.asarray(["a", "b"])
TOKENS = Inputs(TaskSpec("tokens", "class", (4,), 2, 3), 0.0, 1.0, CLASSES)
STEPS = Inputs(TaskSpec("sequences", "class", (4, 2), 2), np.zeros(2), np.ones(2), CLASSES)
VECTORS = Inputs(TaskSpec("vectors", "class", (3,), 2), np.zeros(3), np.ones(3), CLASSES)


def test_lists_of_unequal_length_are_padded():
    np.testing.assert_array_equal(normalized(TOKENS, [[2, 0, 1], [1]]), [[2, 0, 1, -1], [1, -1, -1, -1]])
    found = normalized(STEPS, [[[1.0, 2.0]], np.ones((4, 2))])
    assert found.shape == (2, 4, 2)
    assert np.isnan(found[0, 1:]).all()


@pytest.mark.parametrize(
    ("inputs", "values", "message"),
    [
        (TOKENS, [[0, 3]], "Expected tokens below 3, got 0 to 3"),
        (TOKENS, [[0, 1], [-1, -1]], "Expected a real step in each sequence, got padding alone in row 1"),
        (TOKENS, [[0, 1], [0] * 5], "Expected sequences of at most 4 tokens, got 5 in row 1; cut it"),
        (TOKENS, [[0, 1], ["x"]], "Expected an integer for each of up to 4 steps"),
        (TOKENS, [[0, 1], []], "Expected sequences of one or more tokens, got an empty one in row 1"),
        (TOKENS, ["ab"], r"Expected tokens int\[n, t\] of up to 4 steps"),
        (STEPS, [[[1.0, 2.0]], [[1.0]]], "Expected 2 features in each step of each sequence, got 1 in row 1"),
        (
            STEPS,
            [[[1.0, 2.0]], [[np.nan, np.nan]]],
            "Expected a real step in each sequence, got padding alone in row 1",
        ),
        (STEPS, [[[1.0, np.nan]]], "Expected finite sequences, got NaN or infinite values"),
        (STEPS, [], "Expected one or more sequences, got none"),
        (VECTORS, [[1.0, 2.0, 3.0], [1.0]], r"Expected examples of shape \[n, 3\], got parts of unequal shapes"),
        (VECTORS, [[1.0, 2.0, np.inf]], "Expected finite examples, got NaN or infinite values"),
    ],
)
def test_wrong_data_for_a_model_are_one_line(inputs, values, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        normalized(inputs, values)
    assert "\n" not in str(error.value)
