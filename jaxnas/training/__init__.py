"""Training: how a network is trained, whatever kind of network it is."""
