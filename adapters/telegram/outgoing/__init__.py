"""Outgoing messages: pieces as messages."""
