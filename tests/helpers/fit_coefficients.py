"""Fits the polynomials of `runtime/language/numba_coefficients.py`, and prints that file.

    python tests/helpers/fit_coefficients.py > runtime/language/numba_coefficients.py

Each fit is a minimax polynomial of the error relative to the function it serves, by Remez's
exchange in decimal arithmetic: Remez, "Sur le calcul effectif des polynomes d'approximation",
1934; Muller, "Elementary Functions", chapter 3. It takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, getcontext

import numpy as np

PRECISION = 60
GRID = 600
getcontext().prec = PRECISION
D = Decimal
PI = D("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")
LN2 = D(2).ln()


def series(terms: Callable[[int], Decimal], z: Decimal) -> Decimal:
    """The sum of terms(k) * z**k until it no longer changes."""
    total, power, k = D(0), D(1), 0
    while True:
        term = terms(k) * power
        if k > 3 and abs(term) < D(10) ** -(PRECISION - 5):
            return total
        total, power, k = total + term, power * z, k + 1


def factorial(n: int) -> Decimal:
    """n!"""
    return D(math.factorial(n))


def arctan(x: Decimal) -> Decimal:
    """The inverse tangent, its argument halved until the series is fast."""
    halvings = 0
    while abs(x) > D("0.1"):
        x, halvings = x / (1 + (1 + x * x).sqrt()), halvings + 1
    return 2**halvings * x * series(lambda k: D((-1) ** k) / (2 * k + 1), x * x)


def arcsin(x: Decimal) -> Decimal:
    """The inverse sine."""
    return arctan(x / (1 - x * x).sqrt())


def tanh(x: Decimal) -> Decimal:
    """The hyperbolic tangent."""
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def erf(x: Decimal) -> Decimal:
    """The error function, by its series (small x)."""
    return 2 / PI.sqrt() * x * series(lambda k: D((-1) ** k) / (factorial(k) * (2 * k + 1)), x * x)


def scaled_erfc(x: Decimal) -> Decimal:
    """exp(x * x) * erfc(x), x >= 0: the series, or the continued fraction for large x."""
    if x < D("2.5"):
        return (x * x).exp() * (1 - erf(x))
    tail = D(0)
    for k in range(300, 0, -1):
        tail = D(k) / 2 / (x + tail)
    return 1 / (PI.sqrt() * (x + tail))


@dataclass(frozen=True)
class Fit:
    """A polynomial P(z) for `target` on [low, high].

    Attributes:
        name: of the constant.
        degree: of P.
        single: whether float32 holds the coefficients.
        target: the function of z that P approximates.
        weight: of an error of P at z, in the relative error of the function that P serves.
        what: the formula of the target, for the comment.
    """

    name: str
    degree: int
    single: bool
    low: Decimal
    high: Decimal
    target: Callable[[Decimal], Decimal]
    weight: Callable[[Decimal], Decimal]
    what: str


def _exp(name: str, degree: int, single: bool) -> Fit:
    return Fit(
        name, degree, single, -LN2 * D("0.501"), LN2 * D("0.501"),
        lambda r: series(lambda k: 1 / factorial(k + 2), r),
        lambda r: r * r / r.exp(),
        "(exp(r) - 1 - r) / r**2, |r| <= log(2) / 2",
    )  # fmt: skip


def _sin(name: str, degree: int, single: bool) -> Fit:
    return Fit(
        name, degree, single, D(0), (PI / 4 * D("1.001")) ** 2,
        lambda z: series(lambda k: (-1) ** (k + 1) / factorial(2 * k + 3), z),
        lambda z: z, "(sin(r) / r - 1) / z, z = r**2, |r| <= pi / 4",
    )  # fmt: skip


def _cos(name: str, degree: int, single: bool) -> Fit:
    return Fit(
        name, degree, single, D(0), (PI / 4 * D("1.001")) ** 2,
        lambda z: series(lambda k: (-1) ** k / factorial(2 * k + 4), z),
        lambda z: z * z, "(cos(r) - 1 + z / 2) / z**2, z = r**2, |r| <= pi / 4",
    )  # fmt: skip


def _over_z(
    name: str, degree: int, single: bool, high: str, f: Callable[[Decimal], Decimal], what: str
) -> Fit:
    """(f(x) / x - 1) / z for an odd f, x up to `high`."""

    def target(z: Decimal) -> Decimal:
        x = z.sqrt()
        return (f(x) / x - 1) / z

    def weight(z: Decimal) -> Decimal:
        x = z.sqrt()
        return z * x / f(x)

    text = f"({what}(x) / x - 1) / z, z = x**2, |x| <= {high}"
    return Fit(name, degree, single, D(0), D(high) ** 2, target, weight, text)


def _tail(t: Decimal) -> Decimal:
    x = 2 * (1 + t) / (1 - t)
    return (1 + 2 * x) * scaled_erfc(x)


ROOT2 = D(2).sqrt()
FITS = (
    _exp("EXP_32", 4, True),
    _exp("EXP_64", 9, False),
    Fit("LOG_32", 8, True, 1 / ROOT2 - 1, ROOT2 - 1,
        lambda f: ((1 + f).ln() - f + f * f / 2) / f**3,
        lambda f: abs(f**3 / (1 + f).ln()),
        "(log(1 + f) - f + f**2 / 2) / f**3, sqrt(1/2) <= 1 + f <= sqrt(2)"),
    Fit("LOG_64", 6, False, D(0), D("0.02945"),
        lambda z: series(lambda k: D(2) / (2 * k + 3), z), lambda z: z / 2,
        "(2 * arctanh(s) / s - 2) / z, z = s**2, s = f / (2 + f), f as above"),
    _over_z("TANH_32", 4, True, "0.63", tanh, "tanh"),
    _over_z("TANH_64", 10, False, "0.63", tanh, "tanh"),
    Fit("ERF_32", 6, True, D(0), D(1),
        lambda z: erf(z.sqrt()) / z.sqrt() - 1, lambda z: z.sqrt() / erf(z.sqrt()),
        "erf(x) / x - 1, z = x**2, |x| <= 1"),
    Fit("ERFC_LOG_32", 6, True, D("0.99"), D("3.95"),
        lambda x: x * x - scaled_erfc(x).ln(),
        lambda x: scaled_erfc(x) / ((x * x).exp() - scaled_erfc(x)),
        "-log(erfc(x)), 1 <= x <= 3.95"),
    _sin("SIN_32", 2, True),
    _cos("COS_32", 2, True),
    _sin("SIN_48", 3, False),
    _cos("COS_48", 3, False),
    _over_z("ARCTAN_48", 9, False, "1", arctan, "arctan"),
    _over_z("ARCSIN_48", 5, False, "0.5", arcsin, "arcsin"),
    Fit("ERFC_48", 12, False, D(-1), D("0.694"), _tail, lambda t: 1 / _tail(t),
        "(1 + 2 * x) * exp(x**2) * erfc(x), t = (x - 2) / (x + 2), 0 <= x <= 11"),
)  # fmt: skip


def solve(rows: list[list[Decimal]]) -> list[Decimal]:
    """The solution of linear equations, each row ending with its right side."""
    n = len(rows)
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k])]
    found = [D(0)] * n
    for k in range(n - 1, -1, -1):
        known = sum((rows[k][j] * found[j] for j in range(k + 1, n)), D(0))
        found[k] = (rows[k][n] - known) / rows[k][k]
    return found


def points(fit: Fit, count: int) -> list[Decimal]:
    """Chebyshev's points of the interval."""
    middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
    return [middle - half * D(math.cos(math.pi * (k + 0.5) / count)) for k in range(count)]


def horner(coefficients: list[Decimal], z: Decimal) -> Decimal:
    """The polynomial's value."""
    total = D(0)
    for c in reversed(coefficients):
        total = total * z + c
    return total


def remez(fit: Fit) -> tuple[list[Decimal], float]:
    """The coefficients, lowest first, and the greatest relative error on the grid."""
    grid = points(fit, GRID)
    wanted = [fit.target(z) for z in grid]
    weight = [fit.weight(z) for z in grid]
    count = fit.degree + 2
    chosen = [round((GRID - 1) * (1 - math.cos(math.pi * k / (count - 1))) / 2)
              for k in range(count)]  # fmt: skip
    best: tuple[list[Decimal], float] = ([], math.inf)
    for _ in range(12):
        rows = [
            [*(grid[i] ** j for j in range(fit.degree + 1)), (-1) ** k / weight[i], wanted[i]]
            for k, i in enumerate(chosen)
            if weight[i]
        ]
        found = solve(rows)[:-1]
        errors = [(horner(found, z) - y) * w for z, y, w in zip(grid, wanted, weight)]
        worst = float(max(map(abs, errors)))
        if worst < best[1]:
            best = (found, worst)
        chosen = _extremes(errors, count)
        if len(chosen) < count:
            break
    return best


def _extremes(errors: list[Decimal], count: int) -> list[int]:
    """The places of the greatest errors of alternating sign."""
    runs: list[list[int]] = []
    for i, e in enumerate(errors):
        if runs and (errors[runs[-1][-1]] > 0) == (e > 0):
            runs[-1].append(i)
        else:
            runs.append([i])
    tops = [max(run, key=lambda i: abs(errors[i])) for run in runs]
    while len(tops) > count:
        tops.pop(0 if abs(errors[tops[0]]) < abs(errors[tops[-1]]) else -1)
    return tops


HEADER = '''"""Polynomials' coefficients, lowest first, from `tests/helpers/fit_coefficients.py`."""

from __future__ import annotations
'''


def main() -> None:
    """Print the module of coefficients."""
    print(HEADER)
    for fit in FITS:
        found, worst = remez(fit)
        values = [float(np.float32(float(c))) if fit.single else float(c) for c in found]
        print(f"# {fit.what}\n# Relative error of the result: {worst:.1e}.")
        print(f"{fit.name} = (")
        for value in values:
            print(f"    {value!r},")
        print(")")


if __name__ == "__main__":
    main()
