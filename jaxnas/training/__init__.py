"""Training of networks of any kind."""
