"""Search spaces: which architectures exist, one folder a kind."""
