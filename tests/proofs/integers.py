"""What tests/proofs/models/Math.sol takes for granted of floor(x * y / d), proved by z3 over all integers.

Run by scripts/prove.py in the environment of Halmos. Each fact must be proved, and be refuted when
it is sharpened by one unit.
"""

from __future__ import annotations

import sys

import z3

x, y, z, d = z3.Ints("x y z d")
q, r, p, s = z3.Ints("q r p s")  # x * y = q * d + r and x * z = p * d + s: quotients and remainders
DIVIDED = [d > 0, x >= 0, y >= 0, x * y == q * d + r, r >= 0, r < d]
DIVIDED_AGAIN = [*DIVIDED, z >= 0, x * z == p * d + s, s >= 0, s < d]
WITHIN = [*DIVIDED_AGAIN, y <= z]

# What is known, what follows, and a sharper claim that does not.
FACTS = {
    "nothing of nothing": ([*DIVIDED, y == 0], q == 0, q == 1),
    "all of all": ([*DIVIDED, y == d], q == x, q == x + 1),
    "at most all": ([*DIVIDED, y <= d], q <= x, q < x),
    "never negative": (DIVIDED, q >= 0, q >= 1),
    "never less for more": (WITHIN, q <= p, q < p),
    # A part is p - q, of weight z - y out of d: |part * d - x * (z - y)| < d.
    "a part is less than one unit from exact": (
        WITHIN,
        z3.And((p - q) * d - x * (z - y) < d, x * (z - y) - (p - q) * d < d),
        (p - q) * d <= x * (z - y),
    ),
}


def follows(known: list[z3.BoolRef], claim: z3.BoolRef) -> z3.CheckSatResult:
    """unsat where the claim follows, sat where it does not."""
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.add(*known, z3.Not(claim))
    return solver.check()


def main() -> None:
    wrong = 0
    for name, (known, claim, sharper) in FACTS.items():
        proved, refuted = follows(known, claim) == z3.unsat, follows(known, sharper) == z3.sat
        sys.stdout.write(f"{'proved' if proved and refuted else 'NOT PROVED'}: {name}\n")
        wrong += not (proved and refuted)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
