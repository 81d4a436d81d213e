"""Models that others trained, from PyPI: do they lose nothing here, and do they answer."""
