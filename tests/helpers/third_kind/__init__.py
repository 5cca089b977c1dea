"""A kind of network that the package does not have: linear maps of pooled images. One folder, one line of a catalog."""
