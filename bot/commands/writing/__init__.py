"""How commands and their answers are written."""
