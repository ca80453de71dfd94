"""The stream of an answer: from bytes to Deltas."""
