"""Common parts of strategies."""
