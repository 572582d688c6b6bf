"""Prints what griefing costs whom, from the gas figures in tests/gas and a pool's terms: the bounds of docs/protocol.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

GAS = Path(__file__).resolve().parents[1] / "tests" / "gas"
GAS_PER_BLOCK, SECONDS_PER_BLOCK = 36_000_000, 12
MOST_DEMANDS = 128  # of `ame watch`, per settlement
OPEN_DEMANDS = 2**24 - 1  # what the pool's counter holds


class Terms(NamedTuple):
    """What a pool and a chain charge, in ETH, days and gwei."""

    bond: float
    demand_bond: float
    days: float
    gwei: float

    def ether(self, gas: int) -> float:
        """Price of gas."""
        return gas * self.gwei / 10**9


def rows(gas: dict[str, int], terms: Terms) -> list[tuple[str, str]]:
    """(what, how much)"""
    demand, answer = gas["demand"], gas["answer"]
    bond, days, ether = terms.demand_bond, terms.days, terms.ether
    in_time = int(days / 4 * 86_400 / SECONDS_PER_BLOCK) * (GAS_PER_BLOCK // answer)
    dearest = max(gas[name] for name in ("challengeTotal", "challengeDuplicate", "challengeTransition"))
    return [
        ("a delay by one period, to who demands", f"{bond + ether(gas['demand, the first of a settlement']):.4f} ETH"),
        ("the longest delay of a settlement", f"{days:g} days, once"),
        ("a demand, to who makes it and gets an answer", f"{bond + ether(demand):.4f} ETH ({demand:,} gas)"),
        ("an answer, to who gives it", f"{bond - ether(answer):+.4f} ETH ({answer:,} gas)"),
        ("price of gas at which an answer pays for itself", f"up to {bond * 10**9 / answer:,.0f} gwei"),
        ("1,000 demands: attacker pays", f"{1_000 * (bond + ether(demand)):.2f} ETH"),
        ("1,000 answers: operator gets, after gas", f"{1_000 * (bond - ether(answer)):+.2f} ETH"),
        ("answers that fit into a quarter of the period, all blocks the operator's", f"{in_time:,}"),
        ("so many demands cost in bonds and gas", f"{in_time * bond:,.0f} + {ether(in_time * demand):,.0f} ETH"),
        ("filling the counter of open demands", f"{OPEN_DEMANDS * demand:,} gas, {OPEN_DEMANDS * bond:,.0f} ETH of bonds"),
        (f"the watcher's {MOST_DEMANDS} demands, all answered", f"{MOST_DEMANDS * (bond + ether(demand)):.4f} ETH"),
        ("a proof of fraud, to the watcher", f"{terms.bond / 2 - ether(dearest):+.4f} ETH (at most {dearest:,} gas)"),
        ("a proven fraud, to the proposer", f"{-terms.bond:+.4f} ETH; {-terms.bond / 2:+.4f} if he shows it himself"),
        ("cancelling for an unanswered demand, to its maker", f"{terms.bond / 2 - ether(demand):+.4f} ETH"),
    ]  # fmt: skip


def main() -> None:
    """Parse, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bond", type=float, default=1.0, help="ETH")
    parser.add_argument("--demand-bond", type=float, default=0.003, help="ETH")
    parser.add_argument("--days", type=float, default=1.0, help="challenge period")
    parser.add_argument("--gwei", type=float, default=5.0, help="price of gas")
    terms = Terms(**vars(parser.parse_args()))
    gas = {name: int(value) for name, value in json.loads((GAS / "fraud_proofs.json").read_text()).items()}
    print(f"depth 20; {terms}")
    for what, much in rows(gas, terms):
        print(f"{what:76} {much}")


if __name__ == "__main__":
    main()
