"""The database: engine, writer, locks, schema."""
