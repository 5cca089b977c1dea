"""Search strategies. They know spaces, not benchmarks. A new one is one file and one line in `jaxnas.catalog`."""
