"""The kernel language: its meaning in Python, and in Numba."""

from graphc import former

__getattr__ = former.names_of("graphc.runtime.language.language")
