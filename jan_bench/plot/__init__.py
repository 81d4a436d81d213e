"""Results as pictures: what a chart shows, apart from who draws it."""
