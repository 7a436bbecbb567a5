"""The kernel language: its meaning in Python, and in Numba."""
