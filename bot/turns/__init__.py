"""The queue of turns, and the life of one: plan, ask, record."""
