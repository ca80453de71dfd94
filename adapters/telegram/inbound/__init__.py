"""Inbound updates: updates received and read."""
