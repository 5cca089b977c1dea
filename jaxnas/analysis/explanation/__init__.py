"""Why an architecture is good: its decisions, its motifs, alternatives to it, and what its network relies on."""
