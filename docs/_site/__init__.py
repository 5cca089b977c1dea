"""Makes the pages of the site that follow from the package: run by `docs/conf.py` when the site is built."""
