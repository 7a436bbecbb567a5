"""Kernels as machine code: compiled, kept in the cache, loaded, trusted."""
