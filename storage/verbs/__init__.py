"""The store's verbs: plain functions over a connection, each one transaction."""
