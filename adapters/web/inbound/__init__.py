"""Inbound requests: requests read, uploads kept."""
