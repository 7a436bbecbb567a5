"""A pendulum by the classical Runge-Kutta method, the whole path in one program."""

import graphc as gc


def slope(state):
    """Angle and speed of a pendulum with friction."""
    angle, speed = state
    return speed, -gc.sin(angle) - 0.1 * speed


def main(steps=400, end=20.0):
    h = end / steps
    angle, speed = gc.input("angle", (), gc.float64), gc.input("speed", (), gc.float64)

    def moved(state, by, slopes):
        return tuple(s + by * k for s, k in zip(state, slopes))

    def step(state, _):
        k1 = slope(state)
        k2 = slope(moved(state, h / 2, k1))
        k3 = slope(moved(state, h / 2, k2))
        k4 = slope(moved(state, h, k3))
        new = tuple(
            s + h / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4)
        )
        return new, gc.stack(new)

    _, path = gc.scan(step, (angle, speed), length=steps)
    found = gc.compile([angle, speed], path)(2.0, 0.0)
    print(f"after {end} s: angle {found[-1, 0]:.6f}, speed {found[-1, 1]:.6f}")
    return found


if __name__ == "__main__":
    main()
