"""Programs and traced functions in files: written, checked, read, never executed."""

from graphc import former

__getattr__ = former.names_of("graphc.jit.archive.archive")
