"""Lines of recipes with control flow, and with random numbers."""

from __future__ import annotations

from .generate import Growing

BODIES = (
    "gc.tanh({0} + {1})", "{0} * 0.5 - {1}", "gc.sin({0}) * {1}", "gc.maximum({0}, {1})",
    "{0} + gc.sum({1})", "{0} * 0.25 + {1}[::-1]", "gc.where({0} > {1}, {0}, {1} * 0.5)",
    "gc.softmax({0}, axis=-1) + {1}", "{0} - gc.mean({1}, axis=0, keepdims=True)",
    "gc.cumsum({0} * 0.25, axis=0) - {1}", "gc.sort({0}, axis=0) + 0.5 * {1}",
    "gc.concat([{0}[1:], {1}[:1]], axis=0)", "{0} * gc.max({1}) + gc.min({0})",
    "gc.einsum('...i,...j->...j', {0} * 0.125, {1})",
    "gc.cond(gc.sum({0}) > 0.0, lambda: {0} * 0.5, lambda: {1})",
    "gc.scan(lambda d, r: (d * 0.5 + r, d), gc.sum({0}, axis=0), {1})[1] * 0.5",
)  # fmt: skip


def control(g: Growing) -> None:
    """cond, scan, while_loop: one carry or two, bodies with reductions and loops of their own."""
    x = g.pick("f", 1)
    # NumPy's loops are slow: over rows, and over a row's elements within.
    if max(max(a[x].shape[:2]) for a in g.arrays) > 64:
        raise LookupError
    y = g.rng.choice(g.names(lambda k: g.nodes[k].type == g.nodes[x].type))
    makers = (_branch, _scan, _scan, _scan_of_two, _while, _map)
    g.rng.choice(makers)(g, x, y, *(g.rng.choice(BODIES) for _ in range(2)))


def _branch(g: Growing, x: str, y: str, first: str, second: str) -> None:
    pred = f"gc.sum({g.pick('f')}) > 0.3"
    g.add(f"gc.cond({pred}, lambda: {first.format(x, y)}, lambda: {second.format(y, x)})")


def _two(g: Growing) -> str:
    name = g.named("v")
    return f"{name}, v{int(name[1:]) + 1}"


def _scan(g: Growing, x: str, y: str, first: str, second: str) -> None:
    start = g.rng.choice((f"{x}[0]", f"gc.sum({x}, axis=0)", f"gc.mean({y}, axis=0)"))
    reverse = g.rng.choice(("", ", reverse=True"))
    body = f"({first.format('c', 's')}, {second.format('s', 'c')})"
    if g.rng.random() < 0.3:  # what the body takes from outside
        body = body.replace("c)", f"c * {g.rng.choice((f'{y}[0]', '0.5'))})", 1)
    g.add(f"gc.scan(lambda c, s: {body}, {start}, {x}{reverse})", _two(g))


def _scan_of_two(g: Growing, x: str, y: str, first: str, second: str) -> None:
    """Carries that change places."""
    body = f"((c[1], {first.format('c[0]', 's')}), {second.format('c[1]', 's')})"
    reverse = g.rng.choice(("", ", reverse=True"))
    text = f"gc.scan(lambda c, s: {body}, ({x}[0], {y}[-1] * 0.5), {x}{reverse})"
    g.add(g.rng.choice((f"{text}[0][0]", f"{text}[0][1]", f"{text}[1]")))


def _while(g: Growing, x: str, y: str, first: str, second: str) -> None:
    g.add(f"gc.while_loop(lambda s: s[0] < {g.rng.choice((0, 2, 3))}, "
          f"lambda s: (s[0] + 1, {first.format('s[1]', y)}), (0, {x}), max_steps=4)",
          _two(g))  # fmt: skip


def _map(g: Growing, x: str, y: str, first: str, second: str) -> None:
    g.add(f"gc.map(lambda s: {first.format('s', f'{y}[0]')}, {x})")


def drawn(g: Growing) -> None:
    """Random numbers by a key."""
    shape = g.rng.choice([g.nodes[k].shape for k in g.nodes])
    if not all(isinstance(d, int) for d in shape):
        raise LookupError
    key = f"key=gc.random_key({g.rng.randrange(5)})"
    if g.rng.random() < 0.2:
        key = f"key=gc.fold_in(gc.random_key(1), {g.rng.randrange(5)})"
    text = f"{tuple(shape)}, {key}"
    rules = [
        f'FN["uniform"]({text})', f'FN["normal"]({text})', f'FN["randint"](0, 9, {text})',
        f'FN["bernoulli"](0.5, {text})',
    ]  # fmt: skip
    floats = g.names(
        lambda k: g.kind(k) == "f" and all(isinstance(d, int) for d in g.nodes[k].shape)
    )
    if floats:
        rules.append(f'FN["dropout"]({g.rng.choice(floats)}, 0.5, {key})')
    g.add(g.rng.choice(rules))
