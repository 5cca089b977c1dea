"""Published results that are computed again: the statements of a script, the verdict, and the page."""
