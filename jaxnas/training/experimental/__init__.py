"""Features never run on an accelerator: bfloat16 training, adaptive rates, programs that fit into device memory."""
