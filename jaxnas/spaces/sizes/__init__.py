"""Widths: how many channels the layers of a network have."""
