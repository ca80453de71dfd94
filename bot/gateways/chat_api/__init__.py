"""The chat API's client: what is known of models, what may be asked, how it travels, and what can go wrong."""
