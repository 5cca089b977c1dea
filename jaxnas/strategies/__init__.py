"""Search strategies: what to evaluate next. A file bears the name of its strategy."""
