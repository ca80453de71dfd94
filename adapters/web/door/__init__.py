"""The door: authentication, and who may talk to the page."""
