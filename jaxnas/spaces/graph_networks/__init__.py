"""Graph neural networks of four layers: what each layer reads, and how it gathers what its neighbors know."""
