"""Models print as PyTorch prints them, character by character.

`golden/printed_modules.txt` holds expressions and the texts that PyTorch 2.13 gives for them.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

import graphc as gc
from graphc import nn

GOLDEN = Path(__file__).parent.parent / "golden" / "printed_modules.txt"
# Models whose layers are attributes; the same code for both libraries.
MODELS = """
class SimpleNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, 10)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.2)

class SimpleClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())

class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = self.block(1, 16)
        self.layer2 = self.block(16, 32)
        self.fc = nn.Linear(7 * 7 * 32, 10)

    def block(self, channels, out):
        return nn.Sequential(
            nn.Conv2d(channels, out, kernel_size=5, stride=1, padding=2), nn.BatchNorm2d(out),
            nn.ReLU(), nn.MaxPool2d(kernel_size=2, stride=2),
        )

class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(1, 1)
        self.criterion = nn.MSELoss()
        self.weight = nn.Parameter(t.zeros(1))

    def extra_repr(self):
        return "a=1\\nb=2"
"""


def read_cases(text: str) -> dict[str, str]:
    """The expressions and the texts that follow them."""
    cases = {}
    for part in text.removeprefix(">>> ").split("\n>>> "):
        expression, _, shown = part.partition("\n")
        cases[expression] = shown.rstrip("\n")
    return cases


CASES = read_cases(GOLDEN.read_text())


def printed(expression: str, lib: Any, modules: Any) -> str:
    names = {"t": lib, "nn": modules, "OrderedDict": OrderedDict}
    exec(MODELS, names)
    return repr(eval(expression, names))


@pytest.mark.parametrize("expression", CASES)
def test_models_print_as_in_pytorch(expression: str) -> None:
    assert printed(expression, gc, nn) == CASES[expression]


@pytest.mark.parity
def test_the_texts_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for expression, text in CASES.items():
        assert printed(expression, torch, torch.nn) == text, expression
