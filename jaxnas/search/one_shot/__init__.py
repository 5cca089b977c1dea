"""One-shot search: one network for all architectures of a space, and methods that find one by it."""
