"""The Mandelbrot set: each point's count of turns, by a loop over the whole picture."""

import graphc as gc


def main(width=60, height=24, limit=50):
    x = gc.linspace(-2.2, 0.8, width, dtype=gc.float64)
    y = gc.linspace(-1.2, 1.2, height, dtype=gc.float64)
    cr, ci = gc.broadcast_to(x, (height, width)), gc.broadcast_to(y[:, None], (height, width))

    def any_inside(state):
        _, _, inside, _, step = state
        return gc.any(inside) & (step < limit)

    def turn(state):
        zr, zi, inside, count, step = state
        square, twice = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        zr, zi = gc.where(inside, square, zr), gc.where(inside, twice, zi)
        inside = inside & (zr * zr + zi * zi <= 4)
        return zr, zi, inside, count + gc.cast(inside, gc.int64), step + 1

    zero = gc.zeros((height, width), gc.float64)
    start = (zero, zero, zero == 0, gc.cast(zero, gc.int64), gc.constant(0))
    count = gc.while_loop(any_inside, turn, start)[3]
    found = gc.compile([], count)()
    for row in found[::2]:
        print("".join(" .:-=+*#%@"[min(9, k * 10 // limit)] for k in row))
    return found


if __name__ == "__main__":
    main()
