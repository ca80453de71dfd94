"""Gateways: what is known of each and of its models, and the circuit breaker before it."""
