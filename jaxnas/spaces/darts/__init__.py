"""Cells whose nodes choose their inputs, one kind of cell for each resolution change."""
