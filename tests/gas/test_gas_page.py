"""docs/gas.md holds what the frozen contracts cost, to the unit, and what they would cost without fraud proofs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from foundry import ROOT, environment

pytestmark = pytest.mark.chain


def check(script: str) -> None:
    done = subprocess.run(
        [sys.executable, script, "--check"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_shows_the_receipts_of_these_contracts() -> None:
    check("scripts/gas.py")


@pytest.mark.deep
def test_fraud_proofs_cost_claims_next_to_nothing_and_a_proposal_less_than_a_tenth() -> None:
    check("scripts/fraud_proof_gas.py")
