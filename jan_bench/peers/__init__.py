"""Other servers of the same model, measured as ours is."""
