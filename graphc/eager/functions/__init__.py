"""The eager functions, by what they do."""
