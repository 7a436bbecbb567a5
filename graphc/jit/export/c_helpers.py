"""What the functions of the kernel language are in C: libm's, or small ones that are written out.

A helper is a template with `{T}` for the type, `{t}` for its short name, `{U}` for the unsigned
integer of its width; `{f}` ends libm's names for float. Each is written once for each type that
asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_FLOATS = ("f32", "f64")

# Functions of libm: of one or two floats, by the names of the kernel language.
_LIBM = {
    **{n: n for n in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt", "sin",
                      "cos", "tan", "sinh", "cosh", "tanh", "hypot", "erf", "erfc", "lgamma",
                      "sqrt", "fmod", "copysign", "nextafter", "floor", "ceil", "trunc", "rint")},
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "absolute": "fabs", "power": "pow", "c_mod": "fmod",
}  # fmt: skip

_OF_FLOATS = {
    "sigmoid": "{T} small = exp{f}(-fabs{f}(x)); return (x >= 0 ? 1 : small) / (1 + small);",
    "softplus": "return x != x ? x : (x > 0 ? x : 0) + log1p{f}(exp{f}(-fabs{f}(x)));",
    "reciprocal": "return 1 / x;",
    "rsqrt": "return ({T})(1 / sqrt((double)x));",
    "sign": "return x != x ? x : ({T})((x > 0) - (x < 0));",
    "maximum": "return x != x ? x : y != y ? y : x == 0 && y == 0 ? x + y : x > y ? x : y;",
    "minimum": "return x != x ? x : y != y ? y : x == 0 && y == 0 ? -(-x + -y) : x < y ? x : y;",
    "fmax": "return x != x ? y : y != y ? x : x == 0 && y == 0 ? x + y : x > y ? x : y;",
    "fmin": "return x != x ? y : y != y ? x : x == 0 && y == 0 ? -(-x + -y) : x < y ? x : y;",
    "logaddexp": "{T} d = x - y; return x == y ? x + ({T})0.6931471805599453 : d > 0 ? "
    "x + log1p{f}(exp{f}(-d)) : d <= 0 ? y + log1p{f}(exp{f}(d)) : d;",
    "floor_divide": "{T} m, d, q; if (y == 0) return x / y; m = fmod{f}(x, y); d = (x - m) / y; "
    "if (m != 0 && (y < 0) != (m < 0)) d -= 1; if (d == 0) return copysign{f}(0, x / y); "
    "q = floor{f}(d); return d - q > ({T})0.5 ? q + 1 : q;",
    "floor_mod": "{T} m = fmod{f}(x, y); if (y == 0) return m; "
    "if (m == 0) return copysign{f}(0, y); return (y < 0) != (m < 0) ? m + y : m;",
    "lost": "{T} r = x + y, p = r - x, e = (x - (r - p)) + (y - p); return e == e ? e : 0;",
    "add_any_order": "return x + y;",
    "multiply_any_order": "return x * y;",
    "larger_number": "return y > x ? y : x;",
    "smaller_number": "return y < x ? y : x;",
}
_OF_INTEGERS = {
    "absolute": "return x < 0 ? ({T})(0 - ({U})x) : x;",
    "sign": "return ({T})((x > 0) - (x < 0));",
    "floor_divide": "{T} q; if (y == 0) return 0; if (y == ({T})-1 && ({T})-1 < 0) "
    "return ({T})(0 - ({U})x); q = x / y; return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;",
    "floor_mod": "{T} r; if (y == 0 || (y == ({T})-1 && ({T})-1 < 0)) return 0; r = x % y; "
    "return r != 0 && (r < 0) != (y < 0) ? r + y : r;",
    "c_mod": "return y == 0 || (y == ({T})-1 && ({T})-1 < 0) ? 0 : x % y;",
    "power_int": "{U} r = 1, b = ({U})x, n = ({U})y; for (; n; n >>= 1, b = ({U})(b * b)) "
    "if (n & 1) r = ({U})(r * b); return ({T})r;",
    "shift_left": "return y >= 0 && y < ({T})(8 * sizeof x) ? ({T})(({U})x << y) : 0;",
    "shift_right": "return y >= 0 && y < ({T})(8 * sizeof x) ? ({T})(x >> y) : x < 0 ? -1 : 0;",
    "bit_count": "{U} n = ({U})(x < 0 ? 0 - ({U})x : ({U})x); {T} c = 0; "
    "for (; n; n &= n - 1) c++; return c;",
    "gcd": "{U} a = ({U})(x < 0 ? 0 - ({U})x : ({U})x), b = ({U})(y < 0 ? 0 - ({U})y : ({U})y), t; "
    "while (b) {{ t = a % b; a = b; b = t; }} return ({T})a;",
    "lcm": "{U} a = ({U})(x < 0 ? 0 - ({U})x : ({U})x), b = ({U})(y < 0 ? 0 - ({U})y : ({U})y), "
    "p = a, q = b, t; while (q) {{ t = p % q; p = q; q = t; }} return p ? ({T})(a / p * b) : 0;",
}
_OF_ANY = {
    "maximum": "return x > y ? x : y;", "minimum": "return x < y ? x : y;",
    "fmax": "return x > y ? x : y;", "fmin": "return x < y ? x : y;",
    "min": "return x < y ? x : y;", "max": "return x > y ? x : y;",
}  # fmt: skip
_TESTS = ("isnan", "isinf", "isfinite", "signbit")
_INDEX = {
    "quotient": "return x / y;", "remainder": "return x % y;",
    "floor_quotient": "return x / y - (x % y != 0 && (x < 0) != (y < 0));",
    "floor_remainder": "{T} r = x % y; return r != 0 && (r < 0) != (y < 0) ? r + y : r;",
}  # fmt: skip
_BITS = {
    ("bits", "bf16"): """static uint16_t bits_bf16(float x) {
    uint32_t u; memcpy(&u, &x, 4);
    if (x != x) return (uint16_t)((u >> 16) | 64);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}""",
    ("value", "bf16"): """static float value_bf16(uint16_t b) {
    uint32_t u = (uint32_t)b << 16; float x; memcpy(&x, &u, 4); return x;
}""",
    ("bits", "f16"): """static uint16_t bits_f16(float x) {
    uint32_t u, sign, m; int e; memcpy(&u, &x, 4);
    sign = (u >> 16) & 0x8000; u &= 0x7fffffff;
    if (u > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (u >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (u < 0x33000000) return (uint16_t)sign;
    e = (int)(u >> 23) - 112; m = (u & 0x7fffff) | 0x800000;
    if (e <= 0) {
        int s = 14 - e; uint32_t r = m >> s, left = m & ((1u << s) - 1), half = 1u << (s - 1);
        return (uint16_t)(sign | (r + (left > half || (left == half && (r & 1)))));
    }
    u = ((uint32_t)e << 10) | ((m >> 13) & 0x3ff);
    m &= 0x1fff;
    return (uint16_t)(sign | (u + (m > 0x1000 || (m == 0x1000 && (u & 1)))));
}""",
    ("value", "f16"): """static float value_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = (h >> 10) & 31, m = h & 0x3ff; float x;
    uint32_t u = e == 31 ? 0x7f800000 | (m << 13) : ((e + 112) << 23) | (m << 13);
    if (e == 0) { x = (float)m / 16777216.0f; return sign ? -x : x; }
    u |= sign; memcpy(&x, &u, 4); return x;
}""",
    ("rounded", "f16"): """static float rounded_f16(float x) {
    return value_f16(bits_f16(x));
}""",
    ("rounded", "bf16"): """static float rounded_bf16(float x) {
    return value_bf16(bits_bf16(x));
}""",
    ("number_at", "f32"): """static float number_at_f32(int64_t word) {
    uint32_t u = (uint32_t)word; float x; memcpy(&x, &u, 4); return x;
}""",
    ("number_at", "f64"): """static double number_at_f64(int64_t word) {
    double x; memcpy(&x, &word, 8); return x;
}""",
    (
        "fail",
        "",
    ): """static void fail_(int64_t *status, int64_t site, int64_t value, int64_t limit) {
    if (status[0] == 0) { status[0] = site; status[1] = value; status[2] = limit; }
}""",
    (
        "philox_word",
        "",
    ): """static uint32_t philox_word_(uint64_t key, uint64_t counter, int64_t at) {
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int turn = 0; turn < 10; turn++) {
        uint64_t x = (uint64_t)c[0] * 0xD2511F53u, y = (uint64_t)c[2] * 0xCD9E8D57u;
        uint32_t a = (uint32_t)(y >> 32) ^ c[1] ^ k0, b = (uint32_t)(x >> 32) ^ c[3] ^ k1;
        c[0] = a; c[1] = (uint32_t)y; c[2] = b; c[3] = (uint32_t)x;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
    }
    return c[at];
}""",
}
_NEEDS = {"rounded": ("bits", "value")}


def _type(short: str) -> str:
    known = {"f32": "float", "f64": "double", "ix": "int64_t", "b1": "uint8_t"}
    return known.get(short) or f"{'u' * (short[0] == 'u')}int{short[1:]}_t"


class Helpers:
    """The helper functions that some kernels need.

    Attributes:
        texts: their definitions by name, in an order that defines before use.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def use(self, kind: str, dtype: str) -> str:
        """The name of a helper that has to do with bits or the status block."""
        for other in _NEEDS.get(kind, ()):
            self.use(other, dtype)
        name = f"{kind}_{dtype}"
        self.texts.setdefault(name, _BITS[kind, dtype])
        return name

    def function(self, name: str, type_: str, first: str) -> tuple[str, str] | None:
        """The C name of a function of the kernel language and the type of its result.

        Args:
            name: in the kernel language.
            type_: the one type of its operands.
            first: the first operand's.

        Returns:
            None where there is none in C.
        """
        if name == "philox_word":
            return self.use(name, ""), "u32"
        if name in _TESTS and type_ in _FLOATS:
            return f"0 != {name}", "b1"
        if name.startswith("out_of_range_"):
            return self._range(name, type_ if type_ in _FLOATS else "f64"), "b1"
        if name in _LIBM and type_ in _FLOATS:
            return _LIBM[name] + "f" * (type_ == "f32"), type_
        if name == "invert":
            return ("!", "b1") if first == "b1" else ("~", type_)
        tables: list[Mapping[str, str]] = (
            [_OF_FLOATS] if type_ in _FLOATS else [_INDEX, _OF_INTEGERS, _OF_ANY]
        )
        body = next((t[name] for t in tables if name in t), None)
        if body is None:
            return None
        count = 2 if re.search(r"\by\b", body) else 1
        return self._written(name, type_, body, count), "u8" if name == "bit_count" else type_

    def _written(self, name: str, type_: str, body: str, count: int) -> str:
        own, text = f"{name}_{type_}", _type(type_)
        unsigned = text if text[0] == "u" else f"u{text}" if "int" in text else text
        facts = {"T": text, "U": unsigned, "f": "f" * (type_ == "f32"), "t": type_}
        operands = ", ".join(f"{text} {n}" for n in "xy"[:count])
        self.texts.setdefault(
            own, f"static inline {text} {own}({operands}) {{\n    {body.format(**facts)}\n}}"
        )
        return own

    def _range(self, name: str, type_: str) -> str:
        short = name.removeprefix("out_of_range_")
        bits = int(short[1:])
        low = "0.0" if short[0] == "u" else f"-{1 << (bits - 1)}.0"
        high = f"{1 << (bits - (short[0] == 'i'))}.0"
        own = f"{name}_{type_}"
        self.texts.setdefault(
            own,
            f"static inline uint8_t {own}({_type(type_)} x) {{\n"
            f"    return !(trunc((double)x) >= {low} && trunc((double)x) < {high});\n}}",
        )
        return own


__all__ = ["Helpers"]
