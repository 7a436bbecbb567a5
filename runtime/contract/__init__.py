"""Contractions: plans, kernels and their sources for matmul and convolution."""
