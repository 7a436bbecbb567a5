"""The version of graphc, said once: pyproject.toml reads it here. There is no CUDA."""

__version__ = "0.1.0"

cuda: str | None = None
