"""Runs of strategies on benchmarks."""
