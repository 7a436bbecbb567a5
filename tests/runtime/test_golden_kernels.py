"""The kernels of one body of every kind, read once; a change of the printer shows what it changes.

`GRAPHC_UPDATE_GOLDEN=1 pytest tests/runtime/test_golden_kernels.py` writes them anew.
"""

from __future__ import annotations

import pytest
from golden_bodies import BODIES, graph_of
from golden_files import FOLDER, compare

from graphc.passes.pipeline import optimize
from graphc.runtime.lower import lower


@pytest.mark.parametrize("name", BODIES)
def test_a_bodys_kernels_are_those_that_were_read(name: str) -> None:
    final, _ = optimize(graph_of(name))
    sources = [step.kernel.source for step in lower(final)]
    compare(f"kernels/{name}.txt", "\n".join(dict.fromkeys(sources)))


def test_every_file_belongs_to_a_body() -> None:
    assert {path.stem for path in (FOLDER / "kernels").glob("*.txt")} == set(BODIES)
