"""The product. Knows no platform, no database and no web framework."""
