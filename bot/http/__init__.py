"""The HTTP server: one host for everything that is asked or pushed."""
