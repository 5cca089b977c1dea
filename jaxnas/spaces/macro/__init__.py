"""Chains of blocks: a macro-architecture, in stages of falling resolution."""
