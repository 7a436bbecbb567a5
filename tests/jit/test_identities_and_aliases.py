"""Compiled functions see the same objects as the functions: containers, tuples, views, sizes."""

from __future__ import annotations

import bisect
import collections
import functools
import threading
from typing import Any

import numpy as np
import pytest
from observed import Body, Note, Wrap, difference
from sampling import some

import graphc as gc
from graphc.errors import ArgumentError, TraceError

PROGRAMS: list[Body] = []


def program(body: Body) -> Body:
    PROGRAMS.append(body)
    return body


def _x(rows: int = 5, columns: int = 3) -> Any:
    return gc.arange(1.0, rows * columns + 1).reshape(rows, columns)


class Holder:
    """An object of the user's."""

    first: Any
    second: Any


# --- which objects are one and the same


@pytest.mark.parametrize(
    ("value", "equal"),
    [([1.0], [1.0]), ({"k": 1}, {"k": 1}), ({1}, {1}), ((1, 2), tuple(map(int, "12"))),
     (1.5, float("1.5")), ("ab", "".join(["a", "b"])), (10**20, int("1" + "0" * 20))],
    ids=str,
)  # fmt: skip
def test_objects_that_are_equal_are_told_apart(value: Any, equal: Any) -> None:
    own = Holder()

    def body(wrap: Wrap, note: Note) -> None:
        own.first, own.second = value, equal
        f = wrap(lambda x: x * 2 if own.first is own.second else x * 3)
        g = wrap(lambda x, c: x * 2 if c is own.first else x * 3)
        note(f(_x()), g(_x(), value), g(_x(), equal))
        own.second = value
        note(f(_x()), g(_x(), equal), g(_x(), value))

    assert difference(body) is None


@program
def what_is_none_or_a_mark_of_ones_own(wrap: Wrap, note: Note) -> None:
    missing, own = object(), Holder()
    own.first = missing
    f = wrap(lambda x, m=None: x if own.first is missing else x * own.first if m is None else x * m)
    note(f(_x()), f(_x(), 2.0))
    own.first = 3.0
    note(f(_x()), f(_x(), 2.0))


@program
def one_list_as_two_arguments(wrap: Wrap, note: Note) -> None:
    f = wrap(lambda a, b, x: (a.append(x * 2), len(b) * x + sum(b))[1])
    for _ in range(2):
        one, other = [_x()], [_x() * 3]
        note(f(one, other, _x()), one, other)
        note(f(one, one, _x()), one)


@program
def a_list_that_is_reached_by_another_way_too(wrap: Wrap, note: Note) -> None:
    reached = [_x()]
    f = wrap(lambda a, x: (a.append(x * 3), len(reached) * x)[1])
    for _ in range(2):
        note(f(reached, _x()), len(reached), f([_x()], _x()), len(reached))


@program
def containers_inside_of_others(wrap: Wrap, note: Note) -> None:
    def fill(d: Any, x: Any) -> Any:
        d["a"].append(x * 2)
        d["n"]["y"] = x
        return len(d["b"]) * x, len(d["n"])

    f = wrap(fill)
    for _ in range(2):
        shared = [_x()]
        d: Any = {"a": shared, "b": shared, "n": {}}
        d["m"] = d["n"]
        note(f(d, _x()), d["a"] is shared, len(shared), d["m"] is d["n"], list(d["n"]))


@program
def kinds_of_containers(wrap: Wrap, note: Note) -> None:
    Pair = collections.namedtuple("Pair", "a b")

    def change(d: Any, o: Any, n: Any, t: Any) -> Any:
        d.append(d[-1] * 2)
        o.move_to_end("a")
        o["c"] = o["a"] + d[0]
        n.a.append(n.b)
        return n, t, (t, t[1][0])

    f = wrap(change)
    d, o = collections.deque([_x()], maxlen=2), collections.OrderedDict(a=_x(), b=_x() + 1)
    n, t = Pair([_x()], _x() * 2), (_x(), [_x() * 4])
    for _ in range(3):
        found = f(d, o, n, t)
        note(list(d), list(o.items()), n.a, found[0] is n, found[1] is t, found[2][1] is t[1][0])


@program
def containers_after_an_exception(wrap: Wrap, note: Note) -> None:
    def change(items: Any, fails: bool) -> Any:
        items[0] = items[0] * 2
        if fails:
            raise ValueError
        return items[0]

    f, items = wrap(change), [_x()]
    for fails in (False, True, False):
        try:
            note(f(items, fails))
        except ValueError:
            note("raised")
        note(items)


@program
def arms_that_change_containers(wrap: Wrap, note: Note) -> None:
    def change(items: Any, d: Any) -> Any:
        d["y"] = items[0] * 2 if items[0].sum() > 0 else items[0] * 3
        items.append(d["y"])
        return d["y"] + 1

    for policy in ("fork", "specialise"):
        f = wrap(change, on_branch=policy)
        for sign in (1, -1, 1):
            items, d = [_x() * sign], {"x": _x()}
            note(f(items, d), items, d)


@program
def containers_that_threads_share(wrap: Wrap, note: Note) -> None:
    shared: Any = {"w": gc.ones(3), "n": 0}
    found: list[Any] = [None] * 4

    def change(d: Any, x: Any) -> Any:
        d["n"] += 1
        d["last"] = x * 1
        return x * d["w"]

    f = wrap(change)

    def work(k: int) -> None:
        for _ in range(3):
            found[k] = f(shared, _x() * k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    note(found, shared["n"], shared["w"], sorted(shared))


# --- which memory is shared

VIEWS = {
    "expand": lambda x: x.expand(4, 2, 3), "broadcast": lambda x: gc.broadcast_to(x, (4, 2, 3)),
    "expand to its own": lambda x: x.expand(-1, 3), "view": lambda x: x.view(3, 2),
    "flatten": lambda x: x.flatten(), "t": lambda x: x.t(), "permute": lambda x: x.permute(1, 0),
    "transpose": lambda x: x.transpose(0, 1), "squeeze": lambda x: x[None].squeeze(0),
    "unsqueeze": lambda x: x.unsqueeze(0), "all": lambda x: x[:], "step": lambda x: x[:, ::2],
    "narrow": lambda x: x.narrow(1, 0, 2), "diagonal": lambda x: x.diagonal(),
    "diagonal beside": lambda x: x.diagonal(1), "unbind": lambda x: x.unbind(0)[1],
    "split": lambda x: x.split(1)[1], "movedim": lambda x: x.movedim(0, 1),
    "detach": lambda x: x.detach(), "to": lambda x: x.to(gc.float32), "unflatten":
    lambda x: x.unflatten(1, (3, 1)), "contiguous": lambda x: x.contiguous(),
    "meshgrid": lambda x: gc.meshgrid(x[0], x[1], indexing="ij")[0],
    "list": lambda x: x[[0, 1]], "clone": lambda x: x.clone(), "t, in order":
    lambda x: x.t().contiguous(), "reshape of t": lambda x: x.t().reshape(6),
}  # fmt: skip


@pytest.mark.parametrize("source", ["argument", "captured", "made"])
@pytest.mark.parametrize("name", VIEWS)
def test_parts_share_memory_as_they_do_eagerly(name: str, source: str) -> None:
    take = VIEWS[name]

    def body(wrap: Wrap, note: Note) -> None:
        own = _x(2)
        taken = {
            "argument": lambda x: (x, take(x), take(x).stride()),
            "captured": lambda x: (own, take(own), take(own).stride()),
            "made": lambda x: (lambda y: (y, take(y), take(y).stride()))(x * 1),
        }[source]
        f = wrap(taken)
        for _ in range(2):
            whole, part, strides = f(_x(2))
            whole.fill_(7.0)
            note(part, strides, part.stride())
            try:
                part.fill_(8.0)
                note(whole)
            except ArgumentError:
                note("several elements are one place")

    assert difference(body) is None


@program
def aliases_without_history(wrap: Wrap, note: Note) -> None:
    def written(x: Any, w: Any) -> Any:
        y = x * w
        alias = y.detach()
        alias[0].mul_(3)
        row = alias[1]
        alias.add_(w)
        last = y[2]
        last.add_(w[0])
        z = x * w
        other = z.detach()
        z.mul_(w)
        other[0].add_(w)
        return y, alias, row, last, z, other

    f = wrap(written)
    for _ in range(2):
        w = gc.ones(3).mul(0.5).requires_grad_()
        found = f(_x(), w)
        note(found, [(t.requires_grad, t.is_leaf) for t in found])
        for t in found:
            if t.requires_grad:
                t.sum().backward(retain_graph=True)
                note(w.grad)


# --- sizes are ints


@program
def caches_that_go_by_sizes(wrap: Wrap, note: Note) -> None:
    calls: list[Any] = []

    @functools.lru_cache
    def table(n: int) -> int:
        calls.append(n)
        return n * 10 + len(calls)

    class Positions:
        @functools.lru_cache(maxsize=2)  # noqa: B019
        def of(self, n: int, m: int = 3) -> Any:
            return gc.arange(n).reshape(n, 1) * m

    own, half = Positions(), functools.cache(lambda n: n // 2)
    f = wrap(lambda x: x * table(x.shape[0]))

    def late(x: Any) -> Any:
        n = len(x)
        shape = x.shape
        return (x + own.of(n))[: half(shape[0])], half.cache_info().misses

    g = wrap(late)
    for rows in (2, 3, 2, 4, 3):
        note(f(_x(rows)), g(_x(rows)), table.cache_info().hits, Positions.of.cache_info().misses)
    note(table(2), table(4), calls, half(3), half.cache_info().hits)


@program
def sizes_in_code_that_asks_for_ints(wrap: Wrap, note: Note) -> None:
    def pair(n: Any) -> Any:
        return (n, n) if isinstance(n, int) else tuple(n)

    def asked(x: Any) -> Any:
        n = x.shape[0]
        found = [gc.zeros(*pair(n)), isinstance(n, bool), bisect.bisect([2, 4], n), np.sqrt(n)]
        found += [np.array([n, 2]), np.arange(3) * n, x.reshape(np.int64(n), -1)]
        match x.shape:
            case (rows, 3) if rows > 2:
                return found, rows
            case (int(rows), columns):
                return found, rows + columns

    f = wrap(asked)
    for rows in (2, 3, 4, 2):
        note(f(_x(rows)))


@pytest.mark.parametrize("settings", some([{}, {"tier": "checked"}], 2), ids=str)
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_a_compiled_function_sees_the_objects_that_the_function_sees(
    body: Body, settings: dict[str, Any]
) -> None:
    assert difference(body, **settings) is None


def test_what_no_stand_in_for_a_size_answers_is_refused_once() -> None:
    f = gc.jit.compile(lambda x: (x * 2, type(x.shape[0])))
    with pytest.raises(TraceError, match="of a symbolic size") as raised:
        f(_x())
    assert "test_identities_and_aliases.py" in str(raised.value)
    assert f(_x())[1] is int


def test_a_cache_that_keeps_a_symbolic_size_is_refused_once() -> None:
    table = functools.lru_cache(lambda n: n * 2)
    # Nothing that the code loads is the cache: it is seen once the call is over.
    f = gc.jit.compile(lambda x: x * next(map({"t": table}["t"], [x.shape[0]])))
    try:
        f(_x())
    except TraceError as error:
        assert "a cache of functools" in str(error)
    assert f(_x()).tolist() == (_x() * 10).tolist()


def test_an_error_that_a_symbolic_size_may_have_caused_says_so() -> None:
    import json

    f = gc.jit.compile(lambda x: (x * 2, json.dumps({"n": x.shape[0]})))
    with pytest.raises(TypeError) as raised:
        f(_x())
    assert "dynamic=False" in raised.value.__notes__[0]
    assert f(_x())[1] == '{"n": 5}'
