"""Branches and loops on a GPU: the launches of a body again and again, at the right addresses.

The words are those of the kernels of `machine.control`, which the host reads here. A loop of known
length needs nothing but them, so it is queued whole, in a capture too. A branch, or a loop that
goes on while another body says so, waits for the GPU and looks at a byte there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.runtime.machine.call import Call

if TYPE_CHECKING:
    from graphc.runtime.cuda.device import Device
    from graphc.runtime.cuda.program import CudaExecutable


@dataclass(frozen=True, slots=True)
class Turns:
    """A control step that is under way.

    Attributes:
        device, stream: where it is queued.
        args: its words; the first is the address of the status.
        bodies: its programs, with what their sizes decide.
    """

    device: Device
    stream: int
    args: Sequence[int]
    bodies: Sequence[tuple[CudaExecutable, Call]]

    def run(self, body: int, arena: int, externals: Mapping[int, int]) -> None:
        """Queue a body, whose externals are at these addresses."""
        program, call = self.bodies[body]
        words = program.words(call, arena, self.args[0])
        program.point(words, externals)
        program.enqueue(words, call, self.stream)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Queue a copy."""
        if nbytes:
            self.device.driver.call("cuMemcpyDtoDAsync_v2", target, source, nbytes, self.stream)

    def says(self, address: int) -> bool:
        """Wait; whether the byte is set and no check has failed."""
        call = self.device.driver.call
        call("cuStreamSynchronize", self.stream)
        status, byte = ctypes.c_int64(), ctypes.c_uint8()
        call("cuMemcpyDtoH_v2", ctypes.addressof(status), self.args[0], 8)
        call("cuMemcpyDtoH_v2", ctypes.addressof(byte), address, 1)
        return bool(byte.value) and not status.value


def branch_of(turns: Turns) -> None:
    """Queue the body that a byte chooses; see `machine.control.BRANCH`."""
    _, _, true_arena, _, false_arena, byte, count, *externals = turns.args
    addresses = dict(enumerate(externals[:count]))
    is_true = turns.says(byte)
    turns.run(0 if is_true else 1, true_arena if is_true else false_arena, addresses)


def loop_of(turns: Turns) -> None:
    """Queue the turns of a loop; see `machine.control.LOOP`, whose steps these are."""
    args = turns.args
    _, _, arena, _, cond_arena, limit, is_reverse, byte, *counts = args[:11]
    cond = len(turns.bodies) == 2
    groups = []
    at = 11
    for count, width in zip(counts, (3, 3, 7)):
        groups.append([args[k : k + width] for k in range(at, at + count * width, width)])
        at += count * width
    fixed, sliced, carried = groups
    externals = {inner: address for inner, _, address in fixed}
    asked = {place: address for _, place, address in fixed}
    asked[len(fixed) + len(carried)] = byte
    for into, _, _, first, last, other, nbytes in carried:
        externals[into] = first
        if last == other:  # computed in place
            turns.copy(last, first, nbytes)
            externals[into] = last
    turn = 0
    while turn < limit:
        if cond:
            asked.update({place: externals[into] for into, _, place, *_ in carried})
            turns.run(1, cond_arena, asked)
            if not turns.says(byte):
                break
        which = limit - 1 - turn if is_reverse else turn
        externals.update({place: start + which * stride for place, start, stride in sliced})
        # The last run of a loop of known length writes where the result belongs.
        is_last = turn & 1 == (0 if cond else (limit - 1) & 1)
        for _, out, _, _, last, other, _ in carried:
            externals[out] = last if is_last else other
        turns.run(0, arena, externals)
        externals.update({into: externals[out] for into, out, *_ in carried})
        turn += 1
    for into, _, _, _, last, _, nbytes in carried:
        if externals[into] != last:
            turns.copy(last, externals[into], nbytes)


__all__ = ["Turns", "branch_of", "loop_of"]
