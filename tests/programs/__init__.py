"""Programs as users write them, each compared with a reference that shares nothing with graphc.

A program is one plain function over arrays. Its first argument `m` is the library it is written
against: graphc's own functions for graphs and tensors, or NumPy's or JAX's of the same names
(`surfaces.py`). `corpus.py` says how a program is entered, `compare.py` how it is compared.
"""
