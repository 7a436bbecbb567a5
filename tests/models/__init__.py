"""Models in PyTorch's API, trained a few steps and compared with what PyTorch computes.

Each module is one source for both libraries: only its import lines are changed for PyTorch
(`training.load`). `expected.json` has PyTorch's losses, gradients and parameters in float64, made
by `python tests/models/record.py`.
"""
