"""A graph as NumPy source that runs without graphc."""
