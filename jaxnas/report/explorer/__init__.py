"""The page of a whole table."""
