"""The times of a program's steps: printed, as a trace for Chrome, as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from graphc.program.describing import launch_name, lines_of, time_text
from graphc.runtime.targets import Runnable

PLACES = 3  # of microseconds, in traces


@dataclass(frozen=True, slots=True)
class Profile:
    """Times of a program's steps, of the fastest of some runs.

    Attributes:
        name: of the program.
        rows: (kernel, seconds, the user's lines), in the order in which the steps run.
        wall_s: the seconds of the whole native call; what no step took is `outside_s`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> times = gc.compile([x], x * 2.0, name="double").profile(np.ones(3, np.float32))
        >>> str(times).startswith("double: "), times.total_s <= times.wall_s
        (True, True)
    """

    name: str
    rows: tuple[tuple[str, float, str], ...]
    wall_s: float = 0.0

    @staticmethod
    def of(name: str, executable: Runnable, times: Sequence[int], wall: int = 0) -> Profile:
        """The times of each step, and of all, given in nanoseconds."""
        rows = [
            (launch_name(launch), time * 1e-9, lines_of(launch.node))
            for launch, time in zip(executable.launches, times)
        ]
        return Profile(name, tuple(rows), wall * 1e-9 or sum(times) * 1e-9)

    @property
    def total_s(self) -> float:
        """The sum of all steps' times, in seconds.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.compile([x], x * 2.0).profile(np.ones(3, np.float32)).total_s > 0
            True
        """
        return sum(time for _, time, _ in self.rows)

    @property
    def outside_s(self) -> float:
        """The seconds of the native call that no step took: its beginning and its end.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.compile([x], x * 2.0).profile(np.ones(3, np.float32)).outside_s >= 0
            True
        """
        return max(self.wall_s - self.total_s, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """The figures as what JSON holds; times in seconds.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> times = gc.compile([x], x * 2.0).profile(np.ones(3, np.float32))
            >>> sorted(times.to_dict())
            ['name', 'outside_s', 'steps', 'total_s', 'wall_s']
        """
        steps = [{"kernel": k, "time_s": t, "where": where} for k, t, where in self.rows]
        return {
            "name": self.name, "wall_s": self.wall_s, "total_s": self.total_s,
            "outside_s": self.outside_s, "steps": steps,
        }  # fmt: skip

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the call as a trace that chrome://tracing and Perfetto show.

        Args:
            path: a file name, such as "trace.json".

        Example:
            >>> import json
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> times = gc.compile([x], x * 2.0).profile(np.ones(3, np.float32))
            >>> len(json.loads(times.save("trace.json").read_text())["traceEvents"])
            2
        """
        at, events = 0.0, [_event(self.name, 0.0, self.wall_s, {})]
        for kernel, seconds, where in self.rows:
            events.append(_event(kernel, at, seconds, {"where": where}))
            at += seconds
        target = Path(path)
        target.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}), "utf-8")
        return target

    def __str__(self) -> str:
        total = self.total_s or 1.0
        lines = [f"{self.name}: {time_text(self.total_s)} in {len(self.rows)} steps"]
        lines += [
            f"  {time_text(time):>9} {time / total:>5.0%}  {kernel}  [{where}]"
            for kernel, time, where in self.rows
        ]
        return "\n".join(lines) + "\n"


def _event(name: str, start: float, seconds: float, args: dict[str, str]) -> dict[str, Any]:
    """A complete event; Chrome counts microseconds."""
    micro = [round(value * 1e6, PLACES) for value in (start, seconds)]
    return {"name": name, "ph": "X", "pid": 1, "tid": 1, "ts": micro[0], "dur": micro[1],
            "args": args}  # fmt: skip


__all__ = ["Profile"]
