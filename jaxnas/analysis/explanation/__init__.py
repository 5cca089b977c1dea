"""Why an architecture is good: its decisions, its motifs, what else would do, and what its network relies on."""
