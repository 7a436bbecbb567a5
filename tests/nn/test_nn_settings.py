"""Layers made from their settings: signatures, texts, subclasses, copies, and traced calls."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import KW_ONLY, InitVar
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

import graphc as gc
import graphc.nn as nn
import graphc.nn.functional as F
from graphc.errors import ArgumentError, ShapeError


@nn.layer
class Scale(nn.Module):
    """Its input times a factor for each feature, plus a shift unless there is none."""

    kind: ClassVar[str] = "scale"
    features: int
    start: float = 1.0
    shift: InitVar[bool] = True
    _: KW_ONLY
    name: str = "scale"

    def __post_init__(self, shift: bool) -> None:
        self.factor = nn.Parameter(gc.full((self.features,), self.start))
        self.shift = nn.Parameter(gc.zeros(self.features)) if shift else None

    def forward(self, x: Any) -> Any:
        y = x * self.factor
        return y if self.shift is None else y + self.shift


@nn.layer(F.leaky_relu)
class Leaky(nn.Module):
    """Leaky relu with a slope of its own."""

    negative_slope: float = 0.5
    inplace: bool = False


X = gc.tensor([-1.0, 2.0])


def signature(thing: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(thing).parameters.values()]


def test_a_layer_has_the_signature_that_its_settings_say() -> None:
    def written(
        features: int, start: float = 1.0, shift: bool = True, *, name: str = "scale"
    ) -> None: ...

    assert signature(Scale) == signature(written)
    assert Scale.__init__.__qualname__ == "Scale.__init__"
    assert Scale.__init__.__annotations__["features"] == "int"


def test_settings_are_stored_and_those_for_init_alone_are_handed_on() -> None:
    layer = Scale(2, 3.0, False, name="s")
    assert (layer.features, layer.start, layer.shift, layer.name) == (2, 3.0, None, "s")
    np.testing.assert_array_equal(layer(X).detach().numpy(), [-3.0, 6.0])
    assert list(Scale(2).state_dict()) == ["factor", "shift"]


def test_missing_and_unknown_arguments_are_refused_by_the_layers_name() -> None:
    with pytest.raises(TypeError, match=r"^Scale.__init__\(\) missing 1 required .* 'features'"):
        Scale()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^Leaky.__init__\(\) got an unexpected .* 'slope'"):
        Leaky(slope=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^MSELoss.__init__\(\) takes from 1 to 4 positional"):
        nn.MSELoss(1, 2, 3, 4)  # type: ignore[call-arg, arg-type]


def test_the_text_shows_every_setting_or_what_it_is_told_to() -> None:
    assert repr(Scale(2, shift=False)) == "Scale(features=2, start=1.0, name='scale')"
    assert repr(Leaky()) == "Leaky(negative_slope=0.5)"
    assert repr(Leaky(inplace=True)) == "Leaky(negative_slope=0.5, inplace=True)"

    @nn.layer(text="{features}, shift={shift}")
    class Short(Scale):
        pass

    assert repr(Short(2)) == "Short(2, shift=True)"
    assert repr(Short(2, shift=False)) == "Short(2, shift=False)"


def test_a_setting_that_is_changed_later_changes_eager_and_compiled_calls() -> None:
    for layer in (Leaky(0.5), nn.LeakyReLU(0.5)):
        step = gc.jit.compile(lambda x, layer=layer: layer(x) + 0)
        for slope in (0.5, 0.25, 2.0, 0.5):
            layer.negative_slope = slope
            expected = [-slope, 2.0]
            for _ in range(3):
                np.testing.assert_array_equal(layer(X).numpy(), expected)
                np.testing.assert_array_equal(step(X).numpy(), expected)


def test_the_mode_reaches_the_function() -> None:
    @nn.layer(F.dropout)
    class Half(nn.Module):
        p: float = 0.5

    gc.manual_seed(0)
    assert (Half()(gc.ones(1000)) == 0).any()
    assert (Half().eval()(gc.ones(1000)) == 1).all()


def test_inputs_are_given_at_a_call_and_keep_their_defaults() -> None:
    @nn.layer(F.embedding_bag, "input offsets")
    class Bag(nn.Module):
        mode: str = "sum"

        def __post_init__(self) -> None:
            self.weight = nn.Parameter(gc.eye(3))

    assert signature(Bag().forward) == signature(lambda input, offsets=None: None)
    assert Bag()(gc.tensor([[0, 0, 2]])).tolist() == [[2.0, 0.0, 1.0]]
    assert Bag()(gc.tensor([0, 1]), gc.tensor([0, 1])).tolist() == np.eye(3)[:2].tolist()


def test_subclasses_add_settings_override_defaults_and_write_their_own_init() -> None:
    @nn.layer
    class Named(Leaky):
        negative_slope: float = 2.0
        label: str = "x"

    assert repr(Named()) == "Named(negative_slope=2.0, label='x')"
    assert Named(3.0, False, "y").label == "y"
    assert Named()(X).tolist() == [-2.0, 2.0]

    class Written(nn.Linear):
        mask: gc.Tensor  # no setting: the class is not decorated

        def __init__(self, size: int) -> None:
            super().__init__(size, out_features=size, bias=False)
            self.mask = gc.ones(size)

        def forward(self, input: Any) -> Any:
            return super().forward(input) * self.mask

    layer = Written(2)
    assert layer.mask.tolist() == [1.0, 1.0]
    assert layer(X).shape == (2,)
    assert repr(layer) == "Written(in_features=2, out_features=2, bias=False)"

    class Plain(nn.CELU):
        note: str
        other: int = 3

    assert signature(Plain) == signature(nn.CELU)
    assert repr(Plain(0.5)) == "Plain(alpha=0.5)"


def test_a_base_with_an_init_of_its_own_is_begun_first() -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

    @nn.layer
    class Step(Counted):
        size: int = 1

        def forward(self, x: Any) -> Any:
            self.count += 1
            return x + self.size

    step = Step(2)
    assert step(X).tolist() == [1.0, 4.0]
    assert step.count == 1


@pytest.mark.parametrize("make", [lambda: Scale(2, 3.0), lambda: nn.LayerNorm(2), nn.CELU])
def test_layers_are_copied_and_pickled_with_settings_and_parameters(make: Any) -> None:
    layer = make()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        assert vars(other).keys() == vars(layer).keys()
        np.testing.assert_array_equal(other(X).detach().numpy(), layer(X).detach().numpy())
    layer.load_state_dict(make().state_dict())


def test_what_cannot_be_a_setting_is_refused_where_the_class_stands() -> None:
    with pytest.raises(ArgumentError, match="Late: size has no default, but start before it has"):

        @nn.layer
        class Late(nn.Module):
            start: float = 1.0
            size: int  # type: ignore[misc]

    with pytest.raises(ArgumentError, match="Shared: the default of sizes is a list"):

        @nn.layer
        class Shared(nn.Module):
            sizes: list[int] = []  # noqa: RUF012

    with pytest.raises(ArgumentError, match="Missing: celu has no parameter 'x'"):

        @nn.layer(F.celu, "x")
        class Missing(nn.Module):
            alpha: float = 1.0


def test_a_setting_of_any_annotation_is_one() -> None:
    @nn.layer
    class Mode(nn.Module):
        mode: Literal["a", "b"] = "a"

    assert Mode("b").mode == "b"


def test_an_error_in_a_made_forward_is_told_on_the_line_of_the_decorator() -> None:
    @nn.layer(F.glu)
    class Gate(nn.Module):
        dim: int = -1

    line = inspect.getsourcelines(Gate)[1]
    with pytest.raises(ShapeError, match=rf"at test_nn_settings.py:{line} in forward"):
        Gate()(gc.ones(3))
