"""Runs all of scikit-learn's checks of an estimator on the classifier; the tests run a part of them.

Claim: `NASClassifier` passes every check of scikit-learn's `check_estimator`.
Command: python experiments/validity/scikit_learn_checks.py
Run time: two and a half minutes.
Output: the name of each check, and what became of it; the last line is JSON with their numbers by outcome. It ends with
1 where one failed.
Page: none
"""

import collections
import json
import sys

from sklearn.utils.estimator_checks import check_estimator

from jaxnas.search.estimators import NASClassifier


def main() -> int:
    results = check_estimator(NASClassifier(num_trials=2, num_epochs=1), on_skip=None, on_fail=None)
    for result in results:
        print(f"{result['status']:8} {result['check_name']} {result['exception'] or ''}".rstrip())
    counts = collections.Counter(result["status"] for result in results)
    print(json.dumps(counts))
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
