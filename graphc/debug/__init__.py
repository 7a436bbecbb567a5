"""Finding what is wrong: values of every node, the pass and rule to blame, a small reproducer.

found = gc.debug.bisect(program, *args)        # who changed a value: pass, rule, kernel
gc.debug.reduce(program, *args, path="wrong.py")
gc.debug.values(program, *args)["model.py:12"]
"""

from graphc.debug.bisecting import Blame, bisect
from graphc.debug.difference import Difference, diff
from graphc.debug.reducing import Reduced, reduce
from graphc.debug.values import Values, values

__all__ = ["Blame", "Difference", "Reduced", "Values", "bisect", "diff", "reduce", "values"]
