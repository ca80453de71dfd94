"""What comes in: updates received and read."""
