"""From data to a network."""
