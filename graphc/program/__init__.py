"""A graph made runnable: `compile`, the program, its report, the reference interpreter."""

from graphc import former

__getattr__ = former.names_of("graphc.program.program")
