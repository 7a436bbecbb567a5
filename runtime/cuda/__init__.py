"""Graphs on CUDA devices: kernels for blocks of threads, PTX, and the same kernels on the CPU."""
