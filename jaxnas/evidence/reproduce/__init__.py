"""Published results that are computed again, one file each."""
