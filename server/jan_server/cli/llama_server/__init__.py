"""llama-server's command lines and variables, for those who have them."""
