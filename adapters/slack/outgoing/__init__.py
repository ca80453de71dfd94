"""Outgoing messages: pieces as messages and streams."""
