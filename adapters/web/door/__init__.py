"""The door: who may talk to the page."""
