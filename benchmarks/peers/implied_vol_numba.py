"""Jaeckel's "Let's be rational" (Wilmott 75:40, 2015), written out as one numba loop over quotes, all threads.

The honest CPU bar for `quantjax.pricing.implied_vol`: the published algorithm with its four branches, rational cubic
starts and two Householder steps, early exits included; erfcx by Cody's rationals, the inverse normal by Wichura's.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["implied_vol"]

_SQRT_2PI, _SQRT_HALF, _SQRT_3 = math.sqrt(2 * math.pi), math.sqrt(0.5), math.sqrt(3)
_LARGEST, _TINY, _EPS = 1.7e308, 2.3e-308, 2.220446049250313e-16
_LEAST_CONTROL = -(1 - math.sqrt(_EPS))
_SMALL_T = 2 * _EPS ** (1 / 16)
_ASYMPTOTIC = -10.0
# Cody (1969), Math. Comp. 23:631
_A = (3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02, 3.20937758913846947e03)
_A_LAST = 1.85777706184603153e-1
_B = (2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03)
_C = (
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e01,
    2.98635138197400131e02,
    8.81952221241769090e02,
    1.71204761263407058e03,
    2.05107837782607147e03,
    1.23033935479799725e03,
)
_C_LAST = 2.15311535474403846e-8
_D = (
    1.57449261107098347e01,
    1.17693950891312499e02,
    5.37181101862009858e02,
    1.62138957456669019e03,
    3.29079923573345963e03,
    4.36261909014324716e03,
    3.43936767414372164e03,
    1.23033935480374942e03,
)
_P = (
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_P_LAST = 1.63153871373020978e-2
_Q = (
    2.56852019228982242e00,
    1.87295284992346725e00,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)
# Wichura (1988), Applied Statistics 37:477
_A1 = (
    2509.0809287301226727,
    33430.575583588128105,
    67265.770927008700853,
    45921.953931549871457,
    13731.693765509461125,
    1971.5909503065514427,
    133.14166789178437745,
    3.387132872796366608,
)
_B1 = (
    5226.495278852854561,
    28729.085735721942674,
    39307.89580009271061,
    21213.794301586595867,
    5394.1960214247511077,
    687.1870074920579083,
    42.313330701600911252,
    1.0,
)
_C1 = (
    7.7454501427834140764e-4,
    0.0227238449892691845833,
    0.24178072517745061177,
    1.27045825245236838258,
    3.64784832476320460504,
    5.7694972214606914055,
    4.6303378461565452959,
    1.42343711074968357734,
)
_D1 = (
    1.05075007164441684324e-9,
    5.475938084995344946e-4,
    0.0151986665636164571966,
    0.14810397642748007459,
    0.68976733498510000455,
    1.6763848301838038494,
    2.05319162663775882187,
    1.0,
)
_E1 = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    0.0012426609473880784386,
    0.026532189526576123093,
    0.29656057182850489123,
    1.7848265399172913358,
    5.4637849111641143699,
    6.6579046435011037772,
)
_F1 = (
    2.04426310338993978564e-15,
    1.4215117583164458887e-7,
    1.8463183175100546818e-5,
    7.868691311456132591e-4,
    0.0148753612908506148525,
    0.13692988092273580531,
    0.59983220655588793769,
    1.0,
)
# (2n - 1)!! C(2n + 1, 2k + 1) (-1)^n of the Mills ratio's asymptotic difference, rows n, columns k.
_TERMS = 17
_SERIES = np.zeros((_TERMS, _TERMS))
for _n in range(_TERMS):
    for _k in range(_n + 1):
        _SERIES[_n, _k] = (-1) ** _n * math.prod(range(1, 2 * _n, 2)) * math.comb(2 * _n + 1, 2 * _k + 1)


def implied_vol(price, forward, strike, maturity, discount, call) -> np.ndarray:
    """Vols `[quote]` of arrays `[quote]` of one length, `discount` a number."""
    out = np.empty_like(price)
    _all_vols(price, forward, strike, maturity, discount, call, out)
    return out


@numba.njit(parallel=True, error_model="numpy", cache=True)
def _all_vols(price, forward, strike, maturity, discount, call, out):
    for i in numba.prange(len(price)):
        # In double precision throughout, whatever comes.
        f, k = np.float64(forward[i]), np.float64(strike[i])
        beta = np.float64(price[i]) / discount
        # Time value: the call out of the money, or the put as the call of the reciprocal moneyness.
        if call[i] and f > k:
            beta -= f - k
        elif not call[i] and k > f:
            beta -= k - f
        x = -abs(math.log(f / k))
        out[i] = _normalised_vol(beta / (math.sqrt(f) * math.sqrt(k)), x) / math.sqrt(np.float64(maturity[i]))


@numba.njit(inline="always", error_model="numpy")
def _fraction(x, top, bottom, last):
    """Cody's nested form: (last x + top...) / (x + bottom...)."""
    numerator, denominator = last * x, x
    for i in range(len(top) - 1):
        numerator = (numerator + top[i]) * x
        denominator = (denominator + bottom[i]) * x
    return (numerator + top[len(top) - 1]) / (denominator + bottom[len(top) - 1])


@numba.njit(error_model="numpy")
def _erfcx(x):
    y = abs(x)
    if y <= 0.46875:
        square = y * y
        return math.exp(square) * (1 - x * _fraction(square, _A, _B, _A_LAST))
    if y <= 4:
        result = _fraction(y, _C, _D, _C_LAST)
    else:
        square = 1 / (y * y)
        result = (1 / math.sqrt(math.pi) - square * _fraction(square, _P, _Q, _P_LAST)) / y
    if x < 0:
        if x < -26.628:
            return math.inf
        result = 2 * math.exp(x * x) - result
    return result


@numba.njit(inline="always", error_model="numpy")
def _polynomial(coefficients, x):
    value = coefficients[0]
    for i in range(1, len(coefficients)):
        value = value * x + coefficients[i]
    return value


@numba.njit(error_model="numpy")
def _inverse_cdf(p):
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _polynomial(_A1, r) / _polynomial(_B1, r)
    r = math.sqrt(-math.log(p if q < 0 else 1 - p))
    if r <= 5:
        value = _polynomial(_C1, r - 1.6) / _polynomial(_D1, r - 1.6)
    else:
        value = _polynomial(_E1, r - 5) / _polynomial(_F1, r - 5)
    return -value if q < 0 else value


@numba.njit(inline="always", error_model="numpy")
def _cdf(z):
    return 0.5 * math.erfc(-z * _SQRT_HALF)


@numba.njit(inline="always", error_model="numpy")
def _vega(x, s):
    h, t = x / s, 0.5 * s
    return math.exp(-0.5 * (h * h + t * t)) / _SQRT_2PI


@numba.njit(error_model="numpy")
def _black(x, s):
    """b(x, s) for x <= 0."""
    if s <= 0:
        return 0.0
    h, t = x / s, 0.5 * s
    if h < _ASYMPTOTIC and h + t < _SMALL_T + _ASYMPTOTIC:
        # Difference of two asymptotic expansions of the Mills ratio.
        r = (h + t) * (h - t)
        e, q = (t / h) ** 2, (h / r) ** 2
        total = 0.0
        for n in range(_TERMS - 1, -1, -1):
            inner = _SERIES[n, n]
            for k in range(n - 1, -1, -1):
                inner = inner * e + _SERIES[n, k]
            total = total * q + inner
        return math.exp(-0.5 * (h * h + t * t)) / _SQRT_2PI * 2 * t / r * total
    if t < _SMALL_T:
        # Taylor's series in t; the derivatives of the Mills ratio of -h by their recurrence.
        a = -h
        ratio = _SQRT_2PI / 2 * _erfcx(a * _SQRT_HALF)
        before, here = ratio, a * ratio - 1
        power, total = t, 0.0
        for n in range(1, 14):
            if n % 2 == 1:
                total += power * here
                power *= t * t / ((n + 1) * (n + 2))
            before, here = here, a * here + n * before
        return -2 * total * math.exp(-0.5 * (h * h + t * t)) / _SQRT_2PI
    if h + t > 0.85:
        return math.exp(0.5 * x) * _cdf(h + t) - math.exp(-0.5 * x) * _cdf(h - t)
    return 0.5 * math.exp(-0.5 * (h * h + t * t)) * (_erfcx(-_SQRT_HALF * (h + t)) - _erfcx(-_SQRT_HALF * (h - t)))


@numba.njit(inline="always", error_model="numpy")
def _cubic(x, x_l, x_r, y_l, y_r, d_l, d_r, r):
    h = x_r - x_l
    if abs(h) <= 0:
        return 0.5 * (y_l + y_r)
    t = (x - x_l) / h
    if r >= _LARGEST:
        return y_r * t + y_l * (1 - t)
    u = 1 - t
    top = y_r * t**3 + (r * y_r - h * d_r) * t * t * u + (r * y_l + h * d_l) * t * u * u + y_l * u**3
    return top / (1 + (r - 3) * t * u)


@numba.njit(inline="always", error_model="numpy")
def _least_control(d_l, d_r, slope, keep_shape):
    monotonic = d_l * slope >= 0 and d_r * slope >= 0
    bent = d_l <= slope <= d_r or d_l >= slope >= d_r
    if not (monotonic or bent):
        return _LEAST_CONTROL
    first = second = -_LARGEST
    if monotonic:
        if slope != 0:
            first = (d_r + d_l) / slope
        elif keep_shape:
            first = _LARGEST
    if bent:
        if slope != d_l and slope != d_r:
            second = max(abs((d_r - d_l) / (d_r - slope)), abs((d_r - d_l) / (slope - d_l)))
        elif keep_shape:
            second = _LARGEST
    elif keep_shape:
        second = _LARGEST
    return max(_LEAST_CONTROL, max(first, second))


@numba.njit(inline="always", error_model="numpy")
def _control(x_l, x_r, y_l, y_r, d_l, d_r, second, right, keep_shape):
    h = x_r - x_l
    slope = (y_r - y_l) / h
    numerator = 0.5 * h * second + (d_r - d_l)
    denominator = d_r - slope if right else slope - d_l
    if numerator == 0:
        r = 0.0
    elif denominator == 0:
        r = _LARGEST if numerator > 0 else _LEAST_CONTROL
    else:
        r = numerator / denominator
    return max(r, _least_control(d_l, d_r, slope, keep_shape))


@numba.njit(inline="always", error_model="numpy")
def _householder(newton, halley, third):
    return newton * (1 + 0.5 * halley * newton) / (1 + newton * (halley + third * newton / 6))


@numba.njit(error_model="numpy")
def _normalised_vol(beta, x):
    b_max = math.exp(0.5 * x)
    if not (beta >= 0 and beta <= b_max):
        return math.nan
    if beta < _TINY:
        return 0.0
    if beta >= b_max:
        return math.inf
    s_c = math.sqrt(abs(2 * x))
    b_c, v_c = _black(x, s_c), 0.0
    v_c = _vega(x, s_c) if s_c > 0 else 1 / _SQRT_2PI
    branch = 1
    if beta < b_c:
        s_l = s_c - b_c / v_c
        b_l = _black(x, s_l)
        if beta < b_l:
            branch = 0
            z = abs(x) / (_SQRT_3 * s_l)
            y, s2 = z * z, s_l * s_l
            tail = _cdf(-z)
            density = math.exp(-0.5 * y) / _SQRT_2PI
            f_l = 2 * math.pi / (3 * _SQRT_3) * abs(x) * tail**3
            slope = 2 * math.pi * y * tail * tail * math.exp(y + 0.125 * s2)
            bend = (
                math.pi
                / 6
                * y
                / (s2 * s_l)
                * tail
                * (8 * _SQRT_3 * s_l * abs(x) + (3 * s2 * (s2 - 8) - 8 * x * x) * tail / density)
                * math.exp(2 * y + 0.25 * s2)
            )
            r = _control(0.0, b_l, 0.0, f_l, 1.0, slope, bend, True, True)
            f = _cubic(beta, 0.0, b_l, 0.0, f_l, 1.0, slope, r)
            if not f > 0:
                t = beta / b_l
                f = (f_l * t + b_l * (1 - t)) * t
            s = abs(x / (_SQRT_3 * _inverse_cdf((3 * _SQRT_3 / (2 * math.pi) * f / abs(x)) ** (1 / 3))))
        else:
            v_l = _vega(x, s_l)
            r = _control(b_l, b_c, s_l, s_c, 1 / v_l, 1 / v_c, 0.0, True, False)
            s = _cubic(beta, b_l, b_c, s_l, s_c, 1 / v_l, 1 / v_c, r)
    else:
        s_h = s_c + (b_max - b_c) / v_c if v_c > _TINY else s_c
        b_h = _black(x, s_h)
        if beta <= b_h:
            v_h = _vega(x, s_h)
            r = _control(b_c, b_h, s_c, s_h, 1 / v_c, 1 / v_h, 0.0, False, False)
            s = _cubic(beta, b_c, b_h, s_c, s_h, 1 / v_c, 1 / v_h, r)
        else:
            w = (x / s_h) ** 2
            f_h, slope = _cdf(-0.5 * s_h), -0.5 * math.exp(0.5 * w)
            bend = math.sqrt(math.pi / 2) * math.exp(w + 0.125 * s_h * s_h) * w / s_h
            f = -1.0
            if bend < 1e300:
                r = _control(b_h, b_max, f_h, 0.0, slope, -0.5, bend, False, True)
                f = _cubic(beta, b_h, b_max, f_h, 0.0, slope, -0.5, r)
            if f <= 0:
                t = (beta - b_h) / (b_max - b_h)
                f = (f_h * (1 - t) + 0.5 * (b_max - b_h) * t) * (1 - t)
            s = -2 * _inverse_cdf(f)
            if beta > 0.5 * b_max:
                branch = 2
    for _ in range(2):
        if not s > 0:
            break
        b, slope = _black(x, s), _vega(x, s)
        h = x / s
        halley = h * h / s - 0.25 * s
        third = halley * halley - 3 * (h / s) ** 2 - 0.25
        if branch == 0:
            log_b, log_beta = math.log(b), math.log(beta)
            rate = slope / b
            newton = (log_beta - log_b) * log_b / log_beta / rate
            once = 1 / log_b
            third += 2 * rate * rate * (1 + 3 * once * (1 + once)) - 3 * halley * rate * (1 + 2 * once)
            halley -= rate * (1 + 2 * once)
        elif branch == 1:
            newton = (beta - b) / slope
        else:
            left = b_max - b
            rate = slope / left
            newton = -math.log((b_max - beta) / left) / rate
            third += rate * (2 * rate + 3 * halley)
            halley += rate
        step = _householder(newton, halley, third)
        s += max(-0.5 * s, step)
        if abs(step) <= _EPS * s:
            break
    return s
