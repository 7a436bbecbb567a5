"""The machine that runs a program's steps with no Python between them."""

from graphc import former

__getattr__ = former.names_of("graphc.runtime.machine.machine")
