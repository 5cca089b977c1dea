"""Graph neural networks of four layers: decisions on the input of each layer and on its aggregation of neighbors."""
