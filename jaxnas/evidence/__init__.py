"""Published results that are computed again: what a script states, the verdict, and the page."""
