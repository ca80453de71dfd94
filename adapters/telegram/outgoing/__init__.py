"""What goes out: pieces as messages."""
