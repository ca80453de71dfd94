"""What goes out: documents as HTML."""
