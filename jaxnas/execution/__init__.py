"""Where work is done: in processes of this machine, each on a core or a GPU, or on a Ray cluster."""
