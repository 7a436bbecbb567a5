"""Random and systematic graphs: compiled, interpreted and meant, compared.

    python -m tests.fuzz --minutes 5              graphs compiled and compared
    python -m tests.fuzz --minutes 5 --verify-only    nothing compiled: lowered, verified, simulated

A recipe (`recipe`) is a program of the public API as text: `generate` writes it by a seed, graphc
and NumPy (`meaning`) read the same lines, `wide` says how far apart the two may be, `compare` runs
it in every way, and `reduce` cuts a failing one down to what is printed as a test.
"""

import sys
from pathlib import Path

# The helpers of all tests (`lowering`, `forked`), however this folder is imported.
_HELPERS = str(Path(__file__).resolve().parent.parent / "helpers")
if _HELPERS not in sys.path:
    sys.path.insert(0, _HELPERS)
