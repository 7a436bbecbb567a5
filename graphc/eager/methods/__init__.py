"""What a tensor is besides its functions: methods, hooks, interchange, printing."""

from graphc import former

__getattr__ = former.names_of("graphc.eager.methods.methods")
