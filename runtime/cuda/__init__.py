"""CUDA: kernels for threads, PTX, emulation; the driver by ctypes, memory, programs on GPUs."""
