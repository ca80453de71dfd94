"""Inbound events: events received, read, and looked up."""
