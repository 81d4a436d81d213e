"""Whether `jan bench` and upstream's own programs say the same of the same kernels."""
