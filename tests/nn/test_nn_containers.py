"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from module_errors import lines, raised

import graphc as gc
from graphc import nn


class Add(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Any) -> Any:
        return x + self.n

    def extra_repr(self) -> str:
        return str(self.n)


def numbers(modules: Any) -> list[int]:
    return [m.n for m in modules]


def adds(*ns: int) -> list[Add]:
    return [Add(n) for n in ns]


# --- Sequential


def test_sequential_passes_on() -> None:
    model = nn.Sequential(*adds(1, 2, 3))
    assert model(gc.zeros(1)).tolist() == [6.0]
    assert nn.Sequential()(gc.ones(1)).tolist() == [1.0]
    named = nn.Sequential(OrderedDict(a=Add(1), b=Add(2)))
    assert list(named._modules) == ["a", "b"] and named.a.n == 1 and named[1].n == 2


def test_sequential_is_a_list() -> None:
    model = nn.Sequential(*adds(0, 1, 2, 3))
    assert len(model) == 4 and model[-1].n == 3 and numbers(model) == [0, 1, 2, 3]
    assert numbers(model[1:3]) == [1, 2] and type(model[1:3]) is nn.Sequential
    assert list(model[1:3]._modules) == ["1", "2"]
    model[1] = Add(9)
    del model[0]
    assert numbers(model) == [9, 2, 3] and list(model._modules) == ["0", "1", "2"]
    assert model.append(Add(4)) is model and model.extend(adds(5)) is model
    assert model.pop(0).n == 9 and numbers(model.pop(slice(0, 2))) == [2, 3]
    assert numbers(model) == [4, 5]
    model.insert(0, Add(7)).insert(-1, Add(8)).insert(4, Add(6))
    assert numbers(model) == [7, 4, 8, 5, 6]


def test_sequential_arithmetic() -> None:
    a, b = nn.Sequential(*adds(1, 2)), nn.Sequential(*adds(3))
    assert numbers(a + b) == [1, 2, 3] and numbers(b * 2) == [3, 3] and numbers(2 * a) == [1, 2] * 2
    a += b
    assert numbers(a) == [1, 2, 3]
    a *= 2
    assert numbers(a) == [1, 2, 3, 1, 2, 3] and a[0] is a[3]
    with pytest.raises(TypeError):
        a + [Add(1)]
    assert raised(ValueError, lambda: a * 0) == lines(
        "Sequential: it can be repeated a positive number of times, not 0", "at HERE"
    )


def test_sequential_errors() -> None:
    model = nn.Sequential(*adds(1, 2))
    assert raised(IndexError, lambda: model[2]) == lines(
        "Sequential: there is no module 2 among 2", "at HERE"
    )
    assert raised(IndexError, lambda: model.insert(3, Add(1))) == lines(
        "Sequential: there is no place 3 among 2", "at HERE"
    )
    assert raised(TypeError, lambda: model.insert(0, 3)) == lines(
        "Sequential: a int is not a module", "at HERE"
    )
    assert raised(TypeError, lambda: nn.Sequential(adds(1))) == lines(
        "Sequential: a list is not a module", "at HERE", "hint: write Sequential(*modules)"
    )
    assert raised(TypeError, lambda: nn.Sequential(gc.relu)) == lines(
        "a function cannot be submodule '0' of Sequential: it takes nn.Module or None", "at HERE"
    )


# --- ModuleList


def test_module_list_is_a_list() -> None:
    layers = nn.ModuleList(adds(0, 1, 2))
    assert len(layers) == 3 and layers[-1].n == 2 and numbers(layers) == [0, 1, 2]
    assert type(layers[:2]) is nn.ModuleList and numbers(layers[:2]) == [0, 1]
    layers += adds(3)
    assert numbers(layers + adds(4)) == [0, 1, 2, 3, 4] and len(layers) == 4
    layers.insert(1, Add(7))
    layers.append(Add(8)).extend(a for a in adds(9))
    assert numbers(layers) == [0, 7, 1, 2, 3, 8, 9]
    del layers[1:3]
    layers[0] = Add(5)
    assert numbers(layers) == [5, 2, 3, 8, 9] and list(layers._modules) == list("01234")
    assert layers.pop(-1).n == 9
    layers.extend(layers)
    assert numbers(layers) == [5, 2, 3, 8] * 2
    assert "0" not in dir(layers)
    assert raised(TypeError, lambda: layers.extend(3)) == lines(  # type: ignore[arg-type]
        "ModuleList: int is not a list of modules", "at HERE", "hint: use append for one module"
    )
    assert raised(IndexError, lambda: layers[8]) == lines(
        "ModuleList: there is no module 8 among 8", "at HERE"
    )
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        layers(1)


def test_module_list_text_joins_equal_neighbours() -> None:
    assert repr(nn.ModuleList()) == "ModuleList()"
    assert repr(nn.ModuleList(adds(1, 1, 1, 2, 1))) == (
        "ModuleList(\n  (0-2): 3 x Add(1)\n  (3): Add(2)\n  (4): Add(1)\n)"
    )


# --- ModuleDict


def test_module_dict_is_a_dict() -> None:
    modules = nn.ModuleDict({"b": Add(1), "a": Add(2)})
    assert list(modules) == ["b", "a"] == list(modules.keys()) and len(modules) == 2
    assert modules["a"].n == 2 and "a" in modules and "c" not in modules
    modules.update([("c", Add(3)), ["a", Add(4)]])
    assert [(k, m.n) for k, m in modules.items()] == [("b", 1), ("a", 4), ("c", 3)]
    modules.update(nn.ModuleDict({"d": Add(5)}))
    assert numbers(modules.values()) == [1, 4, 3, 5]
    assert modules.pop("b").n == 1
    del modules["a"]
    assert repr(modules) == "ModuleDict(\n  (c): Add(3)\n  (d): Add(5)\n)"
    modules.clear()
    assert repr(modules) == "ModuleDict()"


def test_module_dict_errors() -> None:
    modules = nn.ModuleDict({"a": Add(1)})
    text = lines("ModuleDict has no 'b'", "it has 'a'", "at HERE")
    assert raised(KeyError, lambda: modules["b"]) == text
    assert raised(KeyError, lambda: modules.pop("b")) == text
    assert raised(KeyError, lambda: modules.__delitem__("b")) == text
    assert raised(TypeError, lambda: modules.update(3)) == lines(
        "ModuleDict.update: int is neither a dict nor a list of pairs", "at HERE"
    )
    assert raised(TypeError, lambda: modules.update([3])) == lines(
        "ModuleDict.update: item 0 is a int, not a pair", "at HERE"
    )
    assert raised(ValueError, lambda: modules.update([("a", 1, 2)])) == lines(
        "ModuleDict.update: item 0 has 3 parts, not a name and a value", "at HERE"
    )
    assert raised(KeyError, lambda: nn.ModuleDict({"keys": Add(1)})) == lines(
        "a module cannot be registered: ModuleDict has another attribute 'keys' already", "at HERE"
    )


# --- parameters


def test_parameter_list_is_a_list() -> None:
    items = nn.ParameterList([gc.zeros(2, 2), nn.Parameter(gc.ones(1)), "text"])
    assert all(isinstance(items[k], nn.Parameter) for k in (0, 1)) and items[-1] == "text"
    assert [name for name, _ in items.named_parameters()] == ["0", "1"]
    assert len(items) == 3 and len(list(items)) == 3
    items.append(gc.ones(4)).extend([gc.ones(5)])
    items += [gc.ones(6)]
    items[2] = gc.ones(7)
    assert [tuple(p.shape) for p in items] == [(2, 2), (1,), (7,), (4,), (5,), (6,)]
    assert [tuple(p.shape) for p in items[1:3]] == [(1,), (7,)]
    assert type(items[1:3]) is nn.ParameterList and items[1:3][0] is items[1]
    assert raised(IndexError, lambda: items[6]) == lines(
        "ParameterList: there is no item 6 among 6", "at HERE"
    )
    assert raised(TypeError, lambda: items.extend(gc.ones(2))) == lines(
        "ParameterList: Tensor is not a list of parameters", "at HERE", "hint: use append for one"
    )
    assert raised(NotImplementedError, lambda: items(1)) == lines(
        "a ParameterList holds parameters and cannot be called", "at HERE"
    )


def test_parameter_dict_is_a_dict() -> None:
    items = nn.ParameterDict({"b": gc.zeros(2), "a": gc.ones(1)})
    assert list(items) == ["a", "b"]  # a plain dict's keys are sorted
    assert list(nn.ParameterDict(OrderedDict(b=gc.zeros(2), a=gc.ones(1)))) == ["b", "a"]
    assert isinstance(items["a"], nn.Parameter) and items.a is items["a"]
    items["c"] = 3
    assert items.get("c") == 3 and items.get("d") is None and items.get("d", 4) == 4
    assert "c" in items and list(reversed(items)) == ["c", "b", "a"] and len(items) == 3
    assert items.setdefault("e", 5) == 5 and items.setdefault("e", 6) == 5
    assert items.popitem() == ("e", 5) and items.pop("c") == 3
    assert [k for k, _ in items.named_parameters()] == ["a", "b"]
    twin = items.copy()
    assert twin["a"] is items["a"] and twin is not items
    other = nn.ParameterDict({"x": gc.ones(1)})
    assert list(items | other) == ["a", "b", "x"] and list(items) == ["a", "b"]
    items |= {"y": 2}
    assert list(items.items())[-1] == ("y", 2) and list(items.values())[-1] == 2
    del items["y"]
    assert list(items.fromkeys(["p", "q"], 0).items()) == [("p", 0), ("q", 0)]
    assert raised(KeyError, lambda: items["z"]) == lines(
        "ParameterDict has no 'z'", "it has 'a', 'b'", "at HERE"
    )
    assert raised(TypeError, lambda: items.__setitem__(3, 4)) == lines(  # type: ignore[index]
        "ParameterDict: a key must be a str, not int 3", "at HERE"
    )
    items.clear()
    assert len(items) == 0 and not list(items.parameters())
