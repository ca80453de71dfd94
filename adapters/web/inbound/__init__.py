"""What comes in: requests read, uploads kept."""
