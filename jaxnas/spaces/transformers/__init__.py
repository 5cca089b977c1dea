"""Transformers: layers that mix the steps of a sequence, of searched depth, width and kinds."""
