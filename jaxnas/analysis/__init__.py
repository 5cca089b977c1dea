"""Analysis of trials: incumbents, regret, ranks, bootstrap intervals. NumPy only; it alone reads test scores."""
