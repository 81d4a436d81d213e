"""What llama-bench and llama-batched-bench time, in this engine and in their words."""
