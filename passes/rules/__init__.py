"""The rules of simplification, one table a file."""
