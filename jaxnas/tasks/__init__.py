"""Tasks: data sets with fixed splits and their metric. A new one is one file and one line in `jaxnas.catalog`."""
