"""What goes out: pieces as messages and streams."""
