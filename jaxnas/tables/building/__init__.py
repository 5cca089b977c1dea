"""Building a complete table: plan, chunks, shards, table."""
