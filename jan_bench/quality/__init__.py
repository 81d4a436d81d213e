"""How far models are from what they were made of."""
