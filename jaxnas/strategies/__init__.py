"""Search strategies: they choose the next evaluation. Each file has the name of its strategy."""
