"""Whether one set of results is another: differences, and how sure they are."""
