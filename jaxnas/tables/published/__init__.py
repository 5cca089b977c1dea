"""Published benchmarks: one importer a file, and the readers of their file formats."""
