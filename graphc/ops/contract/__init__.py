"""Ops that multiply and sum over windows or axes: matmul, einsum, convolution, pooling."""
