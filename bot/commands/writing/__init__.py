"""Writing: how commands and their answers are written."""
