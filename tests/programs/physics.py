"""Physics: energies and the forces that follow from them, equations stepped in time."""

from .corpus import normal, positive, program, spread


def _gravity(m, x, mass):
    gap = m.expand_dims(x, 0) - m.expand_dims(x, 1)
    distance = m.sqrt(m.sum(gap * gap, axis=-1) + 0.1)
    pairs = m.expand_dims(mass, 0) * m.expand_dims(mass, 1) / distance
    return -0.5 * m.sum(pairs * (1 - m.eye(mass.shape[0], mass)))


@program(symbolic=None, x=normal("n 3"), mass=positive("n"), rough=10.0)
def n_body_energy_and_forces(m, x, mass):
    return _gravity(m, x, mass), -m.grad(lambda x: _gravity(m, x, mass), x)


@program(symbolic=None, x=normal("n 2"), v=normal("n 2"), mass=positive("n"), rough=10.0)
def leapfrog(m, x, v, mass):
    inverse = 1 / m.expand_dims(mass, 1)
    for _ in range(2):
        v = v - 0.05 * m.grad(lambda x: _gravity(m, x, mass), x) * inverse
        x = x + 0.1 * v
        v = v - 0.05 * m.grad(lambda x: _gravity(m, x, mass), x) * inverse
    return x, v, 0.5 * m.sum(mass * m.sum(v * v, axis=1)) + _gravity(m, x, mass)


@program(u=normal("n m"), k=positive("n m", 0.1, 0.3))
def heat_equation(m, u, k):
    for _ in range(4):
        up = m.pad(u, ((1, 1), (1, 1)))
        u = u + k * (up[2:, 1:-1] + up[:-2, 1:-1] + up[1:-1, 2:] + up[1:-1, :-2] - 4 * u)
    return u, m.sum(u)


@program(u=normal("n"), before=normal("n"), speed=positive("n", 0.2, 0.8))
def wave_equation(m, u, before, speed):
    for _ in range(4):
        bend = m.roll(u, 1, 0) - 2 * u + m.roll(u, -1, 0)
        u, before = 2 * u - before + speed**2 * bend, u
    return u, 0.5 * m.sum((u - before) ** 2)


@program(state=positive("n 2"), rates=positive("4"))
def lotka_volterra_runge_kutta(m, state, rates):
    def flow(z):
        a, b = z[:, 0], z[:, 1]
        return m.stack([rates[0] * a - rates[1] * a * b, rates[2] * a * b - rates[3] * b], axis=1)

    for _ in range(3):
        k1 = flow(state)
        k2 = flow(state + 0.05 * k1)
        k3 = flow(state + 0.05 * k2)
        k4 = flow(state + 0.1 * k3)
        state = state + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


@program(q=normal("n"), p=normal("n"), w=normal("2 d"), v=normal("d"))
def hamiltonian_network(m, q, p, w, v):
    def energy(z):
        return m.sum(m.tanh(z @ w) @ v)

    def flow(z):
        slope = m.grad(energy, z)
        return m.stack([slope[:, 1], -slope[:, 0]], axis=1)

    z = m.stack([q, p], axis=1)
    return m.mean((flow(z + 0.05 * flow(z)) - z) ** 2)


@program(spins=normal("n m"), j=normal("n m"), field=normal("m"))
def ising_energy_of_soft_spins(m, spins, j, field):
    s = m.tanh(spins)
    bonds = m.roll(s, 1, 0) + m.roll(s, -1, 0) + m.roll(s, 1, 1) + m.roll(s, -1, 1)
    return -0.5 * m.sum(j * s * bonds) - m.sum(field * m.sum(s, axis=0)) + m.mean(s) ** 2


@program(u=normal("n m"), v=normal("n m"), p=normal("n m"))
def navier_stokes_step(m, u, v, p):
    def d(f, axis):
        return 0.5 * (m.roll(f, -1, axis) - m.roll(f, 1, axis))

    def bend(f):
        return sum(m.roll(f, s, a) for a in (0, 1) for s in (-1, 1)) - 4 * f

    u, v = (f - 0.1 * (u * d(f, 0) + v * d(f, 1)) + 0.05 * bend(f) for f in (u, v))
    source = d(u, 0) + d(v, 1)
    for _ in range(3):
        p = 0.25 * (bend(p) + 4 * p - source)
    u, v = u - d(p, 0), v - d(p, 1)
    return u, v, m.sum((d(u, 0) + d(v, 1)) ** 2)


@program(symbolic=None, x=normal("n 2"), stiffness=positive("n"), rest=positive("n", 0.1, 0.5))
def spring_network(m, x, stiffness, rest):
    gap = m.roll(x, -1, 0) - x
    length = m.sqrt(m.sum(gap * gap, axis=1) + 1e-3)
    pull = m.expand_dims(stiffness * (length - rest) / length, 1) * gap
    near = m.indices([(i + 1) % x.shape[0] for i in range(x.shape[0])], x)
    forces = m.index_add(pull, near, -pull)
    return forces, 0.5 * m.sum(stiffness * (length - rest) ** 2), m.sum(forces, axis=0)


@program(symbolic=None, large={"n": 30}, x=spread("n 3"))
def lennard_jones_with_cutoff(m, x):
    gap = m.expand_dims(x, 0) - m.expand_dims(x, 1)
    square = m.sum(gap * gap, axis=-1) + m.eye(x.shape[0], x) + 0.5
    inverse = 1.0 / square**3
    energy = 4.0 * (inverse * inverse - inverse) * (1 - m.eye(x.shape[0], x))
    near = m.where(square < 25.0, energy, 0.0)
    return 0.5 * m.sum(near), m.max(m.sum(near, axis=1))


@program(re=normal("n"), im=normal("n"), v=normal("n"))
def schroedinger_steps(m, re, im, v):
    def apply(f):
        return -0.5 * (m.roll(f, 1, 0) + m.roll(f, -1, 0) - 2 * f) + v * f

    for _ in range(3):
        re = re + 0.05 * apply(im)
        im = im - 0.05 * apply(re)
    density = re * re + im * im
    return density / m.sum(density), m.sum(re * apply(re) + im * apply(im)) / m.sum(density)


@program(u=spread("n m"), nu=positive("m"))
def burgers_upwind(m, u, nu):
    for _ in range(2):
        back, ahead = u - m.roll(u, 1, 0), m.roll(u, -1, 0) - u
        moved = m.where(u > 0, u * back, u * ahead)
        u = u - 0.1 * moved + 0.02 * nu * (ahead - back)
    return u, m.max(m.absolute(u), axis=0)


@program(s=positive("n"), i=positive("n"), rates=positive("2"), steps=positive("8"))
def epidemic_by_scan(m, s, i, rates, steps):
    def step(state, dt):
        s, i = state
        new = 0.1 * dt * rates[0] * s * i
        s, i = s - new, i + new - 0.1 * dt * rates[1] * i
        return (s, i), m.sum(i)

    (s, i), infected = m.scan(step, (s, i), steps)
    return s, i, infected, m.max(infected)


@program(t=normal("n 1"), w=normal("1 d"), b=normal("d"), v=normal("d"), rough=100.0)
def physics_informed_residual(m, t, w, b, v):
    def u(t):
        return m.tanh(t @ w + b) @ v

    def slope(t):
        return m.grad(lambda t: m.sum(u(t)), t)

    bend = m.grad(lambda t: m.sum(slope(t)), t)
    residual = bend[:, 0] + 0.3 * slope(t)[:, 0] + u(t)
    return m.mean(residual**2) + (m.sum(u(0 * t[:1])) - 1.0) ** 2


@program(f=positive("5 n m"), tau=positive())
def lattice_boltzmann_step(m, f, tau):
    density = m.sum(f, axis=0)
    ux, uy = (f[1] - f[2]) / density, (f[3] - f[4]) / density
    shares = [m.ones_like(ux) / 3 - 0.5 * (ux**2 + uy**2)]
    for along in (ux, -ux, uy, -uy):
        shares.append((1 + 3 * along + 4.5 * along**2 - 1.5 * (ux**2 + uy**2)) / 6)
    f = f + (density * m.stack(shares, axis=0) - f) / (0.6 + tau)
    moves = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    return m.stack([m.roll(m.roll(f[k], a, 0), b, 1) for k, (a, b) in enumerate(moves)], axis=0)


@program(angle=normal("n"), omega=normal("n"), length=positive(), drag=positive())
def pendulum_energy_drift(m, angle, omega, length, drag):
    start = 0.5 * omega**2 * length - m.cos(angle)
    for _ in range(5):
        omega = omega - 0.05 * (m.sin(angle) / length + drag * omega * m.absolute(omega))
        angle = angle + 0.05 * omega
    return m.mean((0.5 * omega**2 * length - m.cos(angle) - start) ** 2), m.cumsum(omega, axis=0)
