"""Intake: how an inbound event becomes durable work, a command's answer, or nothing."""
