"""Analysis: what runs show."""
