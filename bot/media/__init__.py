"""Media: what people sent, fetched once and kept as a model gets it."""
