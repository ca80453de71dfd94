"""A terminal, or a pipe: whoever started the program asks, and what is written is never taken back."""
