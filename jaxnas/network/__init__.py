"""Networks: the architectures of a space as one Flax module."""
