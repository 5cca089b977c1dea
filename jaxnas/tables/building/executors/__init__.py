"""Where the chunks of a build are trained: one file an executor."""
