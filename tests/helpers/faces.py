"""One program by all its faces: compiled, loaded from a file, interpreted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

import graphc as gc


def loaded(program: Any) -> Any:
    file = io.BytesIO()
    gc.jit.save(program, file)
    return gc.jit.load(io.BytesIO(file.getvalue()))


def check_faces(program: Any, calls: Sequence[tuple[Any, ...]], wanted: Any) -> None:
    """A program, itself from a file, and interpreted gives what a function of arrays does."""
    faces = {
        "compiled": program,
        "loaded": loaded(program),
        "interpreted": lambda *a: gc.interpret(program, *a),
    }
    for call in calls:
        expected = wanted(*call)
        for face, run in faces.items():
            found = run(*call)
            found = list(found.values()) if isinstance(found, dict) else found
            for what, array, other in zip(expected, found, expected.values(), strict=True):
                text = f"{what}, {face}, {call[1:]}"
                assert np.shape(array) == np.shape(other), text
                np.testing.assert_allclose(array, other, rtol=1e-6, err_msg=text)
