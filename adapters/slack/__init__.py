"""Slack: direct messages, channels and threads, over Socket Mode or by the Events API."""
