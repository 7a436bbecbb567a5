"""Special functions of doubles that hold the operands: gamma, error and Bessel functions.

float32 takes the same formulas in float64, rounded. They are straight-line code but for `zeta`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from graphc.runtime.language.numba_float64 import FLOAT64
from graphc.runtime.language.numba_terms import Term, loop, polynomial

log = FLOAT64.log
STIRLING = (  # B(2k) / (2k), from k = 1 on
    1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12,
)  # fmt: skip
EULER_MACLAURIN = (  # (2k)! / B(2k), from k = 1 on
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10,
    -2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15,
    1.8152105401943546773e17, -7.1661652561756670113e18,
)  # fmt: skip


def _ratio(x: Term, parts: Sequence[Sequence[float]]) -> Term:
    return polynomial(x, parts[0]) / polynomial(x, parts[1])


def _infinite(sign: Term) -> Term:
    """Infinity with a sign."""
    return sign.constant(math.inf).sign_of(sign)


def lgamma(x: Term) -> Term:
    """The logarithm of the magnitude of the gamma function."""
    return x.libm("lgamma")


# digamma on [1, 2], over x less its root: Boost's, by Maddock, in powers of x - 1.
ROOT = (1569415565.0 / 2**30, 381566830.0 / 2**60, 9.016312093258695918615325e-20)
FROM_ROOT = (
    (0.25479851061131551, -0.32555031186804491, -0.65031853770896507, -0.28919126444774784,
     -0.045251321448739056, -0.0020713321167745952),
    (1.0, 2.0767117023730469, 1.4606242909763515, 0.43593529692665969, 0.054151797245674225,
     0.0021284987017821144, -0.55789841321675513e-6),
)  # fmt: skip


def _digamma_above(x: Term) -> Term:
    """digamma of x > 0: by steps to [1, 2], or Stirling's series from 10 on."""
    low = x < 1.0
    steps = low.where(-1.0 / x, 0.0)
    z = low.where(x + 1.0, x)
    for _ in range(8):
        high = z >= 2.0
        below = z - 1.0
        steps = high.where(steps + 1.0 / below, steps)
        z = high.where(below, z)
    from_root = z - ROOT[0] - ROOT[1] - ROOT[2]
    near = from_root * 0.99558162689208984 + from_root * _ratio(z - 1.0, FROM_ROOT)
    w = 1.0 / (x * x)
    far = log(x) - 0.5 / x - polynomial(w, STIRLING) * w
    return (x < 10.0).where(near + steps, far)


def digamma(x: Term) -> Term:
    """The derivative of lgamma; of negative operands by reflection."""
    turn = x - x.call("rint")
    mirrored = x < 0.0
    value = _digamma_above(mirrored.where(1.0 - x, x))
    reflected = value - math.pi / (turn * math.pi).libm("tan")
    value = mirrored.where(turn.equals(0.0).where(math.nan, reflected), value)
    return x.equals(0.0).where(_infinite(-x), value)


def _power(x: Term, y: Term) -> Term:
    return x.libm("pow", y)


def _zeta_above(s: Term, q: Term) -> Term:
    """The sum of (q + k)**-s over k from 0 on, of q > 0 and s > 1: Euler-Maclaurin's."""
    total = q.constant(0.0)
    for k in range(10):
        total = total + _power(q + float(k), -s)
    a = q + 10.0
    last = _power(a, -s)
    total = total + _power(a, 1.0 - s) / (s - 1.0) + last * 0.5
    # Beyond the limit all powers of a are 0, and 0 times infinity would be nan.
    s = s.at_most(1e10)
    factor, term = s, last / a
    for k, number in enumerate(EULER_MACLAURIN):
        total = total + term * factor * (1.0 / number)
        term = term / a / a
        factor = factor * (s + (2.0 * k + 1.0)) * (s + (2.0 * k + 2.0))
    return q.equals(math.inf).where(0.0, total)


def zeta(s: Term, q: Term) -> Term:
    """The sum of (q + k)**-s over k from 0 on; of q below 0, whole s alone have one."""
    low = q.call("floor")
    part = q - low
    below = q < 0.0
    value = _zeta_above(s, below.where(part, q))
    half = s * 0.5
    odd = half.call("floor").differs(half)

    def mirrored(found: Term, wanted: Term) -> list[Term]:
        rest = _zeta_above(s, (low + 1.0) - q) - _zeta_above(s, 1.0 - q)
        return [found + odd.where(-rest, rest), wanted & 0]

    wanted = below.where(s.bits().constant(1), 0)
    value = loop([value, wanted], lambda found, left: left.differs(0), mirrored)[0]
    value = (below & s.call("floor").differs(s)).where(math.nan, value)
    value = (s.is_nan() | q.is_nan()).where(math.nan, value)
    value = ((q <= 0.0) & q.equals(low)).where(math.inf, value)
    return s.equals(1.0).where(math.inf, (s < 1.0).where(math.nan, value))


# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988.
CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _quantile(offset: Term, log_tail: Term) -> Term:
    """The normal distribution's quantile of 1/2 + offset, by the logarithm of what is beyond."""
    r = (-log_tail).call("sqrt")
    outer = (r < 5.0).where(_ratio(r - 1.6, TAIL), _ratio(r - 5.0, FAR))
    outer = r.equals(math.inf).where(math.inf, outer).sign_of(offset)
    inner = offset * _ratio(0.180625 - offset * offset, CENTRE)
    return (offset.abs() < 0.425).where(inner, outer)


def ndtri(p: Term) -> Term:
    """The quantile of the standard normal distribution; nan outside of [0, 1]."""
    return _quantile(p - 0.5, log((p < 0.5).where(p, 1.0 - p)))


# Of half a probability, by the logarithm, since half of a denormal number is rounded.
def erfinv(x: Term) -> Term:
    """The inverse of erf; nan outside of [-1, 1]."""
    return _quantile(x * 0.5, log(1.0 - x.abs()) - math.log(2.0)) * math.sqrt(0.5)


def erfcinv(x: Term) -> Term:
    """The inverse of erfc; nan outside of [0, 2]."""
    tail = log((x < 1.0).where(x, 2.0 - x)) - math.log(2.0)
    return _quantile((1.0 - x) * 0.5, tail) * math.sqrt(0.5)


# The series of sqrt(pi) * x * erfcx(x) by powers of -1 / (2 * x * x).
ERFCX_FAR = tuple(float(math.prod(range(1, 2 * k, 2))) for k in range(12))


def erfcx(x: Term) -> Term:
    """exp(x * x) * erfc(x): as it is written below 12, where x * x is taken exactly."""
    near = x.at_most(12.0).at_least(-30.0)
    square = near * near
    low = near.fma(near, -square)
    written = FLOAT64.exp(square) * near.libm("erfc") * (low + 1.0)
    far = x.at_least(12.0)
    series = polynomial(-0.5 / (far * far), ERFCX_FAR)
    return (x < 12.0).where(written, series / far * (1.0 / math.sqrt(math.pi)))


# Chebyshev series of exp(-x) * I0(x) and exp(-x) * I1(x) / x on [0, 8], of their square roots'
# multiples sqrt(x) * exp(-x) * I(x) beyond, by x / 4 - 1 and 16 / x - 1.
SMALL_0 = (
    0.33839763720473803,
    -0.3046826723431984,
    0.17162090152220877,
    -0.09490109704804764,
    0.04930528423967071,
    -0.02373741480589947,
    0.010546460394594998,
    -0.004324309995050576,
    0.0016394756169413357,
    -0.0005763755745385824,
    0.00018850288509584165,
    -5.754195010082104e-05,
    1.6448448070728896e-05,
    -4.4167383584587505e-06,
    1.1173875391201037e-06,
    -2.670793853940612e-07,
    6.046995022541919e-08,
    -1.300025009986248e-08,
    2.6598237246823866e-09,
    -5.189795601635263e-10,
    9.675809035373237e-11,
    -1.726826291441556e-11,
    2.95505266312964e-12,
    -4.856446783111929e-13,
    7.676185498604936e-14,
    -1.1685332877993451e-14,
    1.715391285555133e-15,
    -2.431279846547955e-16,
    3.3307945188222384e-17,
    -4.4153416464793395e-18,
)
SMALL_1 = (
    0.12629359322181682,
    -0.17641651835783406,
    0.1026436586898471,
    -0.05294598120809499,
    0.024726449030626516,
    -0.010564084894626197,
    0.004156422944312888,
    -0.0015135724506312532,
    0.0005122859561685758,
    -0.00016176081582589674,
    4.781565107550054e-05,
    -1.3273163656039436e-05,
    3.4702513081376785e-06,
    -8.568720264695455e-07,
    2.0032947535521353e-07,
    -4.445059128796328e-08,
    9.381537386495773e-09,
    -1.8872497517228294e-09,
    3.625590281552117e-10,
    -6.663489723502027e-11,
    1.1736186298890901e-11,
    -1.9839743977649436e-12,
    3.223793365945575e-13,
    -5.042185504727912e-14,
    7.600684294735408e-15,
    -1.1055969477353862e-15,
    1.5536319577362005e-16,
    -2.111421214358166e-17,
    2.7779141127610464e-18,
)
LARGE_0 = (
    0.4022452055070544,
    0.0033691164782556943,
    6.889758346916825e-05,
    2.8913705208347567e-06,
    2.0489185894690638e-07,
    2.266668990498178e-08,
    3.3962320257083865e-09,
    4.94060238822497e-10,
    1.1889147107846439e-11,
    -3.1499165279632416e-11,
    -1.3215811840447713e-11,
    -1.7941785315068062e-12,
    7.180124451383666e-13,
    3.8527783827421426e-13,
    1.54008621752141e-14,
    -4.150569347287222e-14,
    -9.554846698828307e-15,
    3.8116806693526224e-15,
    1.7725601330565263e-15,
    -3.425485619677219e-16,
    -2.8276239805165836e-16,
    3.461222867697461e-17,
    4.46562142029676e-17,
    -4.830504485944182e-18,
    -7.233180487874754e-18,
)
LARGE_1 = (
    0.38928811750914005,
    -0.009761097491361469,
    -0.00011058893876262371,
    -3.882564808877691e-06,
    -2.512236237870209e-07,
    -2.6314688468895196e-08,
    -3.835380385964237e-09,
    -5.589743462196584e-10,
    -1.8974958123505413e-11,
    3.2526035830154884e-11,
    1.4125807436613782e-11,
    2.0356285441470896e-12,
    -7.198551776245908e-13,
    -4.0835511110921974e-13,
    -2.1015418427726643e-14,
    4.272440016711951e-14,
    1.0420276984128802e-14,
    -3.8144030724370075e-15,
    -1.8803547755107825e-15,
    3.3082023109209285e-16,
    2.96262899764595e-16,
    -3.209525921993424e-17,
    -4.6503053684893586e-17,
    4.414348323071708e-18,
    7.517296310842105e-18,
)


def _chebyshev(x: Term, coefficients: Sequence[float]) -> Term:
    """Clenshaw's sum."""
    double = x + x
    last, before = x.constant(0.0), x.constant(0.0)
    for coefficient in coefficients[:0:-1]:
        last, before = double.fma(last, coefficient - before), last
    return x.fma(last, coefficients[0] - before)


def _scaled_bessel(x: Term, small: Sequence[float], large: Sequence[float]) -> Term:
    a = x.abs()
    near = _chebyshev(a.at_most(8.0) * 0.25 - 1.0, small)
    far = _chebyshev(16.0 / a.at_least(8.0) - 1.0, large) / a.call("sqrt")
    return (a < 8.0).where(near, far)


def bessel_i0e(x: Term) -> Term:
    """exp(-|x|) times the modified Bessel function of order 0."""
    return _scaled_bessel(x, SMALL_0, LARGE_0)


def bessel_i1e(x: Term) -> Term:
    """exp(-|x|) times the modified Bessel function of order 1."""
    a = x.abs()
    value = _scaled_bessel(x, SMALL_1, LARGE_1)
    return (a < 8.0).where(value * a, value).sign_of(x)


def _grown(x: Term, value: Term) -> Term:
    """exp(|x|) * value, which may be finite where exp(|x|) is not."""
    half = FLOAT64.exp(x.abs() * 0.5)
    return x.abs().equals(math.inf).where(_infinite(value), half * value * half)


def bessel_i0(x: Term) -> Term:
    """The modified Bessel function of order 0."""
    return _grown(x, bessel_i0e(x))


def bessel_i1(x: Term) -> Term:
    """The modified Bessel function of order 1."""
    return _grown(x, bessel_i1e(x))


UNARY: dict[str, Callable[..., Term]] = {
    f.__name__: f
    for f in (
        lgamma,
        digamma,
        ndtri,
        erfinv,
        erfcinv,
        erfcx,
        bessel_i0,
        bessel_i0e,
        bessel_i1,
        bessel_i1e,
    )
}
BINARY: dict[str, Callable[..., Term]] = {"zeta": zeta}
