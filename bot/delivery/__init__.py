"""Delivery: posted pieces against wanted pieces, and the rate limiter."""
