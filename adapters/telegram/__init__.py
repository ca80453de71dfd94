"""Telegram: private chats, groups and topics, over the Bot API by polling or by webhook."""
