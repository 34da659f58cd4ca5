"""Heat kernels in arbitrary precision, by other formulas than the library's."""

import mpmath as mp


def log_kernel_by_series(dim: int, t: float, angle: float, *, lines: bool = False) -> float:
    """Spectral series on S^d, d >= 2, with enough digits to survive its cancellation; even degrees alone on RP^d."""
    with mp.workdps(int(45 + angle**2 / (4.6 * t) + 3 * dim)):
        t, x, order = mp.mpf(t), mp.cos(mp.mpf(angle)), mp.mpf(dim - 1) / 2
        volume = (1 if lines else 2) * mp.pi ** (order + 1) / mp.gamma(order + 1)
        total, before, polynomial, degree = mp.mpf(0), mp.mpf(0), mp.mpf(1), 0
        while True:
            weight = mp.binomial(dim + degree, dim) - (mp.binomial(dim + degree - 2, dim) if degree > 1 else 0)
            weight *= mp.exp(-degree * (degree + dim - 1) * t / 2)
            total += 0 if lines and degree % 2 else weight * polynomial
            if degree > 3 and weight < mp.mpf(10) ** (-mp.mp.dps):
                return float(mp.log(total / volume))
            after = ((2 * degree + dim - 1) * x * polynomial - degree * before) / (degree + dim - 1)
            before, polynomial, degree = polynomial, after, degree + 1


def log_circle_kernel_by_theta(t: float, angle: float) -> float:
    """Jacobi theta function theta_3(a/2, exp(-t/2)) / 2 pi."""
    with mp.workdps(60):
        return float(mp.log(mp.jtheta(3, mp.mpf(angle) / 2, mp.exp(-mp.mpf(t) / 2)) / (2 * mp.pi)))


def kernel_s3_by_images(t, angle):
    """Images of the Gaussian on S^3, for 0 < a < pi and small t, in the working precision of mpmath."""
    images = mp.fsum((angle + 2 * mp.pi * k) * mp.exp(-((angle + 2 * mp.pi * k) ** 2) / (2 * t)) for k in (-1, 0, 1))
    return mp.exp(t / 2) * images / ((2 * mp.pi * t) ** 1.5 * mp.sin(angle))


def log_kernel_s3(t: float, angle: float) -> float:
    """Logarithm of `kernel_s3_by_images`."""
    with mp.workdps(40):
        return float(mp.log(kernel_s3_by_images(mp.mpf(t), mp.mpf(angle))))


def log_kernel_s2(t: float, angle: float) -> float:
    """S^2 from S^3 by Abel's integral, for small t."""
    with mp.workdps(30):
        t, a = mp.mpf(t), mp.mpf(angle)

        def integrand(u):  # phi = a + u^2 removes the singularity at the lower end
            phi = a + u**2
            gap = 2 * mp.sin((phi + a) / 2) * mp.sin(u**2 / 2)
            return phi * mp.exp(-(phi**2 - a**2) / (2 * t)) * 2 * u / mp.sqrt(gap) if u > 0 else mp.mpf(0)

        # Beyond this reach the integrand is below 10^-20 of its peak; images are far below for small t.
        reach = mp.sqrt(min(mp.pi - a, -a + mp.sqrt(a**2 + 100 * t)))
        integral = mp.quad(integrand, mp.linspace(mp.mpf(0), reach, 9))
        log_scale = mp.log(mp.sqrt(2)) + t / 8 - mp.mpf(3) / 2 * mp.log(2 * mp.pi * t) - a**2 / (2 * t)
        return float(log_scale + mp.log(integral))


def log_kernel_of_rotations(t: float, angle: float) -> float:
    """Characters of SO(3): sum over l of (2l+1) sin((2l+1) a/2) / sin(a/2) exp(-l(l+1) t/4), over the volume."""
    with mp.workdps(int(40 + angle**2 / (2 * t))):
        t, half = mp.mpf(t), mp.mpf(angle) / 2
        total, degree = mp.mpf(0), 0
        while True:
            weight = (2 * degree + 1) * mp.exp(-degree * (degree + 1) * t / 4)
            total += weight * (mp.sin((2 * degree + 1) * half) / mp.sin(half) if half else 2 * degree + 1)
            if (2 * degree + 1) * weight < mp.mpf(10) ** (-mp.mp.dps):
                return float(mp.log(total / (16 * mp.sqrt(2) * mp.pi**2)))
            degree += 1
