"""Kernels of ops that no fused body holds: scans, scatters, sorts, windows."""

from graphc import former

__getattr__ = former.names_of("graphc.runtime.nests.table")
