"""Published benchmarks: one importer a file, and what reads the formats of their files."""
