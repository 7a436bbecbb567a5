"""PyTorch's `backends`: flags of libraries that graphc does not use.

    gc.backends.cudnn.benchmark = True

They can be set and read and change nothing: there is no CUDA, no cuDNN, no MKL, and results do not
change from run to run anyway.
"""

from __future__ import annotations

from typing import Any


class Backend:
    """Flags of one library, which have no effect.

    Args:
        available: what `is_available` says.
        flags: the flags, with what they are at first.

    Example:
        >>> import graphc as gc
        >>> gc.backends.cudnn.benchmark = True
        >>> gc.backends.cudnn.is_available()
        False
    """

    def __init__(self, available: bool = False, **flags: Any) -> None:
        self._available = available
        vars(self).update(flags)

    def is_available(self) -> bool:
        """Whether the library is used.

        Example:
            >>> import graphc as gc
            >>> gc.backends.mps.is_available()
            False
        """
        return self._available

    def is_built(self) -> bool:
        """Whether the library is part of graphc.

        Example:
            >>> import graphc as gc
            >>> gc.backends.mps.is_built()
            False
        """
        return self._available

    def version(self) -> None:
        """The library's version: there is none.

        Example:
            >>> import graphc as gc
            >>> gc.backends.cudnn.version()
        """


cudnn = Backend(
    enabled=False, benchmark=False, deterministic=True, allow_tf32=False, benchmark_limit=10
)
cuda = Backend(
    matmul=Backend(
        allow_tf32=False,
        allow_fp16_reduced_precision_reduction=False,
        allow_bf16_reduced_precision_reduction=False,
    ),
    enable_flash_sdp=lambda enabled: None,
    enable_math_sdp=lambda enabled: None,
    enable_mem_efficient_sdp=lambda enabled: None,
    flash_sdp_enabled=lambda: False,
    math_sdp_enabled=lambda: True,
    mem_efficient_sdp_enabled=lambda: False,
)
mps, mkl, mkldnn, openmp, xnnpack = (Backend() for _ in range(5))
quantized = Backend(engine="none", supported_engines=[])

__all__ = ["Backend", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "quantized", "xnnpack"]
