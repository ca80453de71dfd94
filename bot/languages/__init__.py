"""Languages: their names, which one a text is in, and into which it goes."""
