"""What comes in: events received, read, and looked up."""
