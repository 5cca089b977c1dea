"""Workers: processes of this machine, each on a core or a GPU, or of a Ray cluster."""
