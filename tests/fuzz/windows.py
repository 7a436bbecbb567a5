"""Lines of recipes with windows: convolutions, transposed ones, pooling."""

from __future__ import annotations

from collections.abc import Sequence

from .generate import Growing

Sizes = tuple[int, ...]


def _image(g: Growing) -> tuple[str, int]:
    """A value of one to three spatial axes, often behind a view, and how many they are."""
    from .table import view

    rng, rank = g.rng, g.rng.choice((1, 1, 1, 2, 2, 3))
    if g.dtype[0] != "f":
        raise LookupError
    spatial = [rng.choice((3, 4, 5, 7) if rank < 3 else (2, 3, 4)) for _ in range(rank)]
    if g.large and rank == 1:
        spatial = [rng.choice((300, 1030))]
    batch = rng.choice((1, 2, 2, 3)) if rng.random() < 0.97 else 0
    fitting = g.names(lambda k: g.nodes[k].ndim == rank + 2 and g.kind(k) == "f")
    x = rng.choice(fitting) if fitting and rng.random() < 0.5 else (
        g.add_input((batch, rng.choice((1, 2, 4)), *spatial)))  # fmt: skip
    if rng.random() < 0.4:
        x = view(g, x) or x
    if g.nodes[x].ndim != rank + 2 or not all(isinstance(d, int) for d in g.nodes[x].shape[1:]):
        raise LookupError
    return x, rank


def _each(g: Growing, rank: int, values: Sequence[int]) -> int | Sizes:
    """One number for all spatial axes, or one for each."""
    if rank == 1 or g.rng.random() < 0.6:
        return g.rng.choice(values)
    return tuple(g.rng.choice(values) for _ in range(rank))


def conv(g: Growing) -> None:
    """A convolution."""
    x, rank = _image(g)
    rng, kernel = g.rng, tuple(g.rng.choice((1, 2, 3)) for _ in range(rank))
    channels = g.nodes[x].shape[1]
    groups = rng.choice([k for k in (1, 1, 2, channels) if k and channels % k == 0])
    shape = (groups * rng.choice((1, 2, 3)), channels // groups, *kernel)
    w = g.add_input(shape, g.nodes[x].dtype.name)
    if rng.random() < 0.3:
        w = g.add(f"gc.flip({w}, axis=-1)") or w
    if rng.random() < 0.2:
        ends = ", ".join(str((rng.randrange(3), rng.randrange(2))) for _ in range(rank))
        x = g.add(f"gc.pad({x}, [(0, 0), (0, 0), {ends}])") or x
    stride, dilation = _each(g, rank, (1, 1, 2, 3, 4)), _each(g, rank, (1, 1, 2))
    padding = _each(g, rank, (0, 0, 1, 2))
    bias = f", {g.add_input((shape[0],), g.nodes[x].dtype.name)}" if rng.random() < 0.3 else ""
    more = f"stride={stride}, padding={padding}, dilation={dilation}, groups={groups}"
    g.add(f"gc.conv({x}, {w}{bias}, {more})")


def pool(g: Growing) -> None:
    """Pooling; strides may pass the kernel, and windows overlap."""
    x, rank = _image(g)
    name, kernel = g.rng.choice(("max_pool", "avg_pool")), _each(g, rank, (1, 2, 3))
    sizes = kernel if isinstance(kernel, tuple) else (kernel,)
    padding = min(g.rng.choice((0, 0, 1)), *(k // 2 for k in sizes), 9)
    more = ""
    if name == "max_pool" and g.rng.random() < 0.3:
        more = f", dilation={_each(g, rank, (1, 2))}"
    g.add(f"gc.{name}({x}, {kernel}, {_each(g, rank, (1, 1, 2, 3, 4))}, {padding}{more})")


def transposed(g: Growing) -> None:
    """A transposed convolution."""
    x, rank = _image(g)
    channels, stride = g.nodes[x].shape[1], g.rng.choice((1, 2, 3))
    groups = g.rng.choice([k for k in (1, 1, 2) if channels and channels % k == 0] or [1])
    kernel = tuple(g.rng.choice((1, 2, 3)) for _ in range(rank))
    w = g.add_input((channels, g.rng.choice((1, 2)), *kernel), g.nodes[x].dtype.name)
    behind, dilation = g.rng.randrange(stride), g.rng.choice((1, 1, 2))
    padding = g.rng.choice((0, 0, 1))
    more = f"output_padding={behind}, groups={groups}, dilation={dilation}"
    g.add(f'FN["conv_transpose"]({x}, {w}, None, {stride}, {padding}, {more})')
