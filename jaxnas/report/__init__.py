"""Reports of a comparison: terminal table, figures, one self-contained page, `summary.json`, `trials.npz`."""
