"""Settings of chats: rows by scope, laid over the defaults."""
