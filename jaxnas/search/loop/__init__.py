"""The loop of searches that train: a journal, and evaluations in this process or in workers."""
