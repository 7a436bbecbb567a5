"""Errors as values: what is wrong, with which values, where in the user's code, what to do.

Every error a user can cause derives from `GraphcError` and from the built-in that fits, so
`except ValueError` works as well. Internal faults of the compiler are `InternalError`: seeing
one is a bug in graphc. Nothing here formats a traceback.

    ShapeError: matmul: inner sizes differ, 784 and 10
      x: f32[32, 784], made at train.py:12
      w: f32[10, 784], made at train.py:13
      at train.py:41
      hint: transpose w
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

MAX_LINES = 12


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the one that was meant, else all that are.

    Example:
        >>> import graphc as gc
        >>> gc.errors.suggestion("fusee", ["fuse", "cse"])
        "did you mean 'fuse'?"
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"one of {', '.join(sorted(names))}"


class GraphcWarning(UserWarning):
    """Something a user should know that did not stop the work.

    Example:
        >>> import graphc as gc
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     _ = gc.add(gc.ones(2), 1, out=gc.zeros(3))  # of another shape: it is resized
        >>> told[0].category.__name__
        'GraphcWarning'
    """


class GraphcError(Exception):
    """Base of all graphc errors.

    Args:
        what: one line: what is wrong, with the values.
        details: further lines, one fact each (operands with the lines that made them).
        where: the user's `file:line`, or "" when there is none.
        hint: what to do, or "".

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.ones(2, 3) @ gc.ones(2, 3)
        ... except gc.errors.GraphcError as error:
        ...     print(error.what)
        matmul: inner sizes differ, 3 and 2
    """

    def __init__(
        self, what: str, details: Sequence[str] = (), *, where: object = "", hint: str = ""
    ) -> None:
        self.what = what
        self.details = tuple(details)
        self.where = str(where) if where else ""
        self.hint = hint
        super().__init__(self.message())

    def message(self) -> str:
        """The whole text, at most 12 lines: surplus details are counted, not shown.

        Example:
            >>> import graphc as gc
            >>> error = gc.errors.GraphcError("what is wrong", ["a fact"], hint="what to do")
            >>> print(error.message())
            what is wrong
              a fact
              hint: what to do
        """
        tail = [f"at {self.where}"] if self.where else []
        tail += [f"hint: {self.hint}"] if self.hint else []
        room = MAX_LINES - 1 - len(tail)
        details = list(self.details)
        if len(details) > room:
            details = details[: room - 1] + [f"... and {len(details) - room + 1} more"]
        return "\n  ".join([self.what, *details, *tail])


class ShapeError(GraphcError, ValueError):
    """Shapes, axes or symbolic dimensions that do not fit.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.ones(2) + gc.ones(3)
        ... except gc.errors.ShapeError as error:
        ...     print(error.what)
        add: shapes (2) and (3) do not broadcast
    """


class DTypeError(GraphcError, TypeError):
    """A dtype that an op or an argument does not take.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.mean(gc.tensor([1, 2]))
        ... except gc.errors.DTypeError as error:
        ...     print(error.what)
        mean: a tensor of int64 has no mean of its dtype
    """


class ArgumentError(GraphcError, TypeError):
    """A wrong number, name or kind of argument.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.sum(gc.ones(2), dim="rows")
        ... except gc.errors.ArgumentError as error:
        ...     print(error.what)
        an axis must be an int, not str 'rows'
    """


class AttributeValueError(GraphcError, ValueError):
    """An argument of the right kind with a value out of range.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=-1.0)
        ... except gc.errors.AttributeValueError as error:
        ...     print(error.what)
        SGD: lr is -1.0; it must be 0 or more
    """


class GraphError(GraphcError, ValueError):
    """A graph that is not well formed: unlisted, duplicate or unused inputs.

    Example:
        >>> import graphc as gc
        >>> x, y = gc.input("x", (2,)), gc.input("y", (2,))
        >>> try:
        ...     gc.compile([x], x + y)
        ... except gc.errors.GraphError as error:
        ...     print(error.what)
        compile: the output depends on input 'y', which is not listed
    """


class GradientError(GraphcError, ValueError):
    """Something that cannot be differentiated.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.ones(2).sum().backward()
        ... except gc.errors.GradientError as error:
        ...     print(error.what)
        backward: the tensor does not require a gradient and was not computed from one that does
    """


class IndexRangeError(GraphcError, IndexError):
    """An index outside its axis, found while a program ran.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.take(gc.ones(3), gc.tensor([5]))
        ... except gc.errors.IndexRangeError as error:
        ...     print(error.what)
        take: index 5 is out of range for an axis of size 3
    """


class CheckError(GraphcError, AssertionError):
    """A condition of `gc.check` that does not hold.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.check(gc.tensor(2) > 3, "it is {}", gc.tensor(2))
        ... except gc.errors.CheckError as error:
        ...     print(error.what)
        check: it is 2
    """


class ContractError(GraphcError, AssertionError):
    """A program that is not what `program.require` asks for.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.ContractError, AssertionError)
        True
    """


class CastOverflowError(GraphcError, OverflowError):
    """A value that its new dtype cannot hold.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.compile([], gc.cast(gc.constant([1e6]), gc.int8))()
        ... except gc.errors.CastOverflowError as error:
        ...     print(error.what)
        cast: 1000000 is not a value of int8, which holds -128 to 127
    """


class DivisionError(GraphcError, ZeroDivisionError, RuntimeError):
    """An integer divided by 0; a RuntimeError too, as PyTorch's.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.tensor([1]) // gc.tensor([0])
        ... except gc.errors.DivisionError as error:
        ...     print(error.what)
        floor_divide: an integer divided by 0
    """


class LinAlgError(GraphcError, ValueError, RuntimeError):
    """A matrix that has no such factors or inverse; a RuntimeError too, as PyTorch's.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.linalg.inv(gc.zeros(2, 2))
        ... except gc.linalg.LinAlgError as error:
        ...     print(error.what)
        linalg.inv: the matrix is singular: pivot 1 of its LU factors is 0
    """


class NonFiniteError(GraphcError, ArithmeticError):
    """A nan or inf found by GRAPHC_CHECK=finite.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     with gc.config.override(check=["finite"]):
        ...         gc.compile([], gc.log(gc.constant([0.0])))()
        ... except gc.errors.NonFiniteError as error:
        ...     print(error.what)
        log made -inf at index 0 from finite values
    """


class OutOfMemoryError(GraphcError, MemoryError):
    """An arena that could not be allocated.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.OutOfMemoryError, MemoryError)
        True
    """


class DeviceError(GraphcError, RuntimeError):
    """A GPU or its driver that is not there, is too old, or failed.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.DeviceError, RuntimeError)
        True
    """


class TraceError(GraphcError, RuntimeError):
    """Python that a static graph cannot hold, met while a function was traced.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.jit.trace(lambda x: x if x.sum() > 0 else -x, gc.ones(2))
        ... except gc.errors.TraceError as error:
        ...     print(error.what.partition(":")[0])
        bool() of a traced tensor
    """


class AuditError(GraphcError, AssertionError):
    """An audited compiled call that left something else than the function run eagerly.

    Example:
        >>> import graphc as gc
        >>> f = gc.jit.compile(lambda x: x * 2, audit=True)
        >>> f(gc.ones(2))  # compared; no AuditError
        tensor([2., 2.])
    """


class ParseError(GraphcError, ValueError):
    """Text that is not a graph.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.text.parse("def f(x): pass")
        ... except gc.errors.ParseError as error:
        ...     print(error.what)
        line 1: argument 'x' has no type
    """


class StorageError(GraphcError, OSError):
    """A file that cannot be read or written.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.StorageError, OSError)
        True
    """


class MissingFileError(StorageError, FileNotFoundError):
    """A file, or the folder for one, that is not there.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.load("nowhere.safetensors")
        ... except gc.errors.MissingFileError as error:
        ...     print(error.what)
        load: there is no file nowhere.safetensors
    """


class FormatError(GraphcError, ValueError):
    """A file that is cut short, damaged, or of another format.

    Example:
        >>> import graphc as gc
        >>> _ = open("bad.gcz", "wb").write(b"no archive")
        >>> try:
        ...     gc.jit.load("bad.gcz")
        ... except gc.errors.FormatError as error:
        ...     print(error.what)
        bad.gcz: the file has 10 bytes, too few for an archive
    """


class ArchiveError(FormatError):
    """A saved program that is cut short, damaged, or not well formed.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.ArchiveError, gc.errors.FormatError)
        True
    """


class UnsupportedError(GraphcError, NotImplementedError):
    """A model from elsewhere with parts that graphc has nothing for; the message names all.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.UnsupportedError, NotImplementedError)
        True
    """


class ReentryError(GraphcError, RuntimeError):
    """State that a signal handler wants while the code that it interrupted is changing it.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.ReentryError, RuntimeError)
        True
    """


class VerifyError(GraphcError, ValueError):
    """A graph that breaks an invariant of the IR.

    Example:
        >>> import graphc as gc
        >>> from graphc.verify import verify
        >>> x = gc.input("x", (2,))
        >>> y = gc.tanh(x)
        >>> try:
        ...     verify(gc.Graph("g", (x,), (x,), (y,)))
        ... except gc.errors.VerifyError as error:
        ...     print(error.what)
        graph 'g': output <tanh: f32[2]> is not in the graph
    """


class PassError(GraphcError, ValueError):
    """A pass that broke what passes must keep: the graph's inputs, outputs and updates.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> try:
        ...     gc.compile([x], x * 2.0, passes=[gc.graph_pass(lambda graph: None, name="mine")])
        ... except gc.errors.PassError as error:
        ...     print(error.what)
        the pass mine returned a NoneType, not a graph
    """


class OpError(GraphcError, AssertionError):
    """An op whose definition, kernel, types or gradient disagree: see `gc.check_op`.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.OpError, gc.errors.GraphcError)
        True
    """


class ConfigError(GraphcError, ValueError):
    """A GRAPHC_* setting with a value that it does not take.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     with gc.config.override(speed="high"):
        ...         pass
        ... except gc.errors.ConfigError as error:
        ...     print(error.what)
        'speed' is not a setting
    """


class InternalError(GraphcError, RuntimeError):
    """A fault of the compiler itself.

    Example:
        >>> import graphc as gc
        >>> issubclass(gc.errors.InternalError, gc.errors.GraphcError)
        True
    """
