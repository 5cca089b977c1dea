"""Benchmarks: what a search may query, and what only reports read."""
