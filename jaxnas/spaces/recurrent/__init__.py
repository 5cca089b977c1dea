"""Recurrent cells: a tree of nodes, each with an activation function."""
