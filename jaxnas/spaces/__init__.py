"""Search spaces: which architectures exist. A new one is one file and one line in `jaxnas.catalog`."""
