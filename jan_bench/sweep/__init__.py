"""A server with every combination of settings, under every load; which of them are worth having."""
