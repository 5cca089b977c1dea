"""Zero-cost proxies: scores of architectures that are not trained."""
