"""Register a target: kernels printed as C and compiled by `cc`, where the machine has one."""

import ctypes
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc
from graphc.runtime import targets
from graphc.runtime.lower import lower
from graphc.runtime.machine.executable import Executable

# The kernel language is close to C: names that C lacks are macros, lines are rewritten by rules.
HEAD = """#include <stdint.h>
#include <tgmath.h>
#define f32(x) ((float)(x))
#define b1(x) ((_Bool)(x))
#define inf INFINITY
#define nan NAN
#define select(c, x, y) ((c) ? (x) : (y))
#define add_any_order(x, y) ((x) + (y))
#define larger_number(x, y) ((y) > (x) ? (y) : (x))
"""
LINES = (
    (r"def (\w+)\(args, lo, hi\):", r"void \1(int64_t *args, int64_t lo, int64_t hi) {"),
    (r"for (\w+) in range\((\d+)\):", r"for (int64_t \1 = 0; \1 < \2; \1++) {"),
    (r"for (\w+) in range\((\w+), (\w+)\):", r"for (int64_t \1 = \2; \1 < \3; \1++) {"),
    (r"(\w+) = buffer\(args, (\d+), f32\)", r"float *\1 = (float *)args[\2];"),
    (r"(\w+) = local\((\d+), f32\)", r"float \1[\2];"),
)


def in_c(source):
    printed, known = [], []  # known: names that are declared, with how far their line is indented
    for line in source.strip().splitlines():
        indent, text = len(line) - len(line.lstrip()), line.strip()
        while printed and indent < printed[-1][0]:
            printed.append((printed[-1][0] - 4, "}"))
        known = [(name, depth) for name, depth in known if depth <= indent]
        for old, new in LINES:
            if re.fullmatch(old, text):
                printed.append((indent + 4 * new.endswith("{"), re.sub(old, new, text)))
                break
        else:
            name = re.match(r"(\w+) = ", text)
            is_new = name and name[1] not in dict(known)
            known += [(name[1], indent)] if is_new else []
            printed.append((indent, f"{'__auto_type ' * bool(is_new)}{text};"))
    return "\n".join(text for _, text in printed) + "\n}" * (printed[-1][0] // 4) + "\n"


class InC(Executable):
    def _addresses(self, kernels):
        """C where a kernel has nothing that it lacks, else what the CPU's own target makes."""
        return [self._c(kernel) or super(InC, self)._addresses([kernel])[0] for kernel in kernels]

    def _c(self, kernel):
        path = Path(tempfile.mkdtemp(), "kernel.c")
        path.write_text(HEAD + in_c(kernel.source))
        command = ["cc", "-O3", "-Werror=implicit", "-shared", "-fPIC", path, "-o", f"{path}.so"]
        if subprocess.run([*command, "-lm"], capture_output=True).returncode:
            return None
        print(in_c(kernel.source))
        return ctypes.cast(ctypes.CDLL(f"{path}.so")[kernel.name], ctypes.c_void_p).value


class C(targets.Cpu):
    name = "c"

    def refusal(self):
        return "" if shutil.which("cc") else "there is no C compiler (cc)"

    def program(self, graph, threads):
        return InC(graph, lower(graph), threads)


targets.register(C())
x = gc.input("x", (gc.dim("n"), 10), gc.float32)
y = gc.softmax(gc.tanh(x) * 3.0, axis=1)
rows = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
name = "c" if not C().refusal() else "cpu"
found = gc.compile([x], y, target=name)(rows)
print(f"largest difference of {name!r}", abs(found - gc.compile([x], y)(rows)).max())
