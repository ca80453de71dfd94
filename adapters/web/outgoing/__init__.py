"""Outgoing pieces: documents as HTML."""
