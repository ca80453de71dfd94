"""The service: its wiring, its command line's work, its jobs, what it tells of itself."""
