"""Cells: graphs whose edges carry operations."""
