"""Tables: every score of a search space, on disk."""
