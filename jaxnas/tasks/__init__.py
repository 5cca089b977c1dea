"""Tasks: what is learned."""
