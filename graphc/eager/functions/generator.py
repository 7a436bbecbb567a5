"""Streams of random numbers: their state, and the keys that draws take from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.access import Access, enter, interruptions, leave
from graphc.core.ir import caller
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.drawn import Key
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError
from graphc.ops.arrays import random
from graphc.ops.declare import is_tensor
from graphc.ops.source import Parameter


class Generator:
    """A stream of random numbers with a state of its own.

    Args:
        device: "cpu".

    Example:
        >>> import graphc as gc
        >>> g = gc.Generator().manual_seed(0)
        >>> x = gc.rand(3, generator=g)
    """

    def __init__(
        self, device: DeviceLike | None = "cpu", *, parameter: Parameter | None = None
    ) -> None:
        self._seed = 0
        self.device = "cpu"
        self.parameter: Parameter = random.stream() if parameter is None else parameter
        self._claim = Access(writes=(self.parameter.state,), whole=True)
        if parameter is None:
            self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to a seed, any int; returns the generator.

        Example:
            >>> import graphc as gc
            >>> generator = gc.Generator().manual_seed(3)
            >>> first = gc.rand(2, generator=generator)
            >>> gc.equal(gc.rand(2, generator=generator.manual_seed(3)), first)
            True
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ArgumentError(f"manual_seed: {seed!r} is no int", where=caller())
        self._seed = int(seed)
        if hot.slow and tracing.trace is not None:
            tracing.trace.seed(self, random.hashed(int(seed)))
        elif self.parameter is random.GENERATOR:
            random.manual_seed(int(seed))
        else:
            self.parameter.value = np.array(random.hashed(int(seed)))
        return self

    def initial_seed(self) -> int:
        """The seed that the stream was started with.

        Example:
            >>> import graphc as gc
            >>> gc.Generator().manual_seed(3).initial_seed()
            3
        """
        return self._seed

    def seed(self) -> int:
        """Start a stream that no run has had, and return its seed.

        Example:
            >>> import graphc as gc
            >>> generator = gc.Generator()
            >>> generator.seed() == generator.initial_seed()
            True
        """
        fresh = int(np.random.SeedSequence().entropy) % (1 << 63)  # type: ignore[arg-type]
        self.manual_seed(fresh)
        return fresh

    def get_state(self) -> Tensor:
        """The state, as a 0-d uint64 tensor.

        Example:
            >>> import graphc as gc
            >>> gc.Generator().get_state().dtype
            graphc.uint64
        """
        if hot.slow and tracing.trace is not None:
            return tracing.trace.state_of_generator(self)
        return wrap(self.parameter.value.copy())

    def set_state(self, state: Tensor) -> Generator:
        """Go on from a state that `get_state` gave.

        Example:
            >>> import graphc as gc
            >>> generator = gc.Generator()
            >>> state = generator.get_state()
            >>> first = gc.rand(2, generator=generator)
            >>> gc.equal(gc.rand(2, generator=generator.set_state(state)), first)
            True
        """
        if hot.slow and tracing.trace is not None:
            tracing.trace.set_state_of_generator(self, state)
            return self
        self.parameter.value = np.asarray(state._array, np.uint64).reshape(())
        return self

    def draw_key(self) -> Tensor:
        """The key of the next draw: a 0-d uint64 tensor. Moves the state on.

        Example:
            >>> import graphc as gc
            >>> generator = gc.Generator()
            >>> bool(generator.draw_key() == generator.draw_key())
            False
        """
        if hot.slow and tracing.trace is not None:
            return tracing.trace.draw_key(self)
        turn = object()
        array = self.parameter.state.array
        drawn = False
        try:
            enter(turn, self._claim)
            while not drawn:
                before = interruptions()
                key = int(array)
                array[...] = (key + random.STEP) & 0xFFFFFFFFFFFFFFFF
                # A signal handler that came in between may have drawn with this very key.
                drawn = interruptions() == before
        finally:
            leave(turn)
        found = wrap(np.array(key, np.uint64))
        found._drawn = Key(found._array, self.parameter)
        return found


default_generator = Generator(parameter=random.GENERATOR)


def draw_key(generator: Generator | None = None, of: Any = None) -> Any:
    """The key of the next draw from a generator, the default one unless given.

    Args:
        generator: whose state moves on.
        of: the tensor that the draw is for. If it is symbolic, so is the key, and other at each
            call of the program.
    """
    stream = default_generator if generator is None else generator
    return random.key_of(stream.parameter) if is_tensor(of) else stream.draw_key()


__all__ = ["Generator", "default_generator", "draw_key"]
