"""Messages of errors, without the line that they name."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from graphc.errors import MAX_LINES, GraphcError


def raised(kind: type[BaseException], call: Callable[[], object]) -> str:
    """The text of the error that a call raises, with `at HERE` for its line."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert isinstance(error, GraphcError)
    assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
    text = str(error)
    assert len(text.splitlines()) <= MAX_LINES
    assert re.search(r"\n  at test_\w+\.py:\d+", text), text
    return re.sub(r"\n  at test_\w+\.py:\d+( in \S+)?", "\n  at HERE", text)


def lines(*texts: str) -> str:
    return "\n  ".join(texts)
