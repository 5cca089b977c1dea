"""What was never run on an accelerator: training in bfloat16, rates that adapt, programs that fit into its memory."""
