"""What a module is: members, calls, hooks, state, conversion, containers."""

from graphc import former

__getattr__ = former.names_of("graphc.nn.module.module")
