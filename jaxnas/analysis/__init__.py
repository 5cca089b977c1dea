"""Analysis of trials: incumbents, regret, ranks, intervals, tests, numbers of runs. It alone reads test scores."""
