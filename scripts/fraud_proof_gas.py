"""What fraud proofs cost those who do not use them: the pool with and without, as receipts on anvil.

    python scripts/fraud_proof_gas.py            prints both, and writes tests/gas/without_fraud_proofs.json for docs/gas.md
    python scripts/fraud_proof_gas.py --check    writes nothing; exits 1 if that file holds other figures

The pool without them is cut out of the shipped sources, so it is never another pool than the one it is held against: no
challenges, demands and credits; no word that says what they would refer to; no open demands that activation waits for, and
no room for their time. It is compiled with the shipped settings. Fails where a claim costs one gas more because of fraud
proofs, or a proposal 10 %.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from contextlib import closing
from typing import Any

from foundry import ROOT
from freeze_artifacts import compiler
from gas import WITHOUT, Anvil, measure, table
from mutate import _sources

POOL = "contracts/SettlementPool.sol"
BASE = "contracts/pool/PoolBase.sol"
INTERFACE = "contracts/interfaces/ISettlementPool.sol"
CUTS = (
    (POOL, 'import {Challenges} from "./pool/Challenges.sol";\n', ""),
    (POOL, "Claims, Challenges {", "Claims {\n    error WrongBond(uint256 sent, uint256 expected);"),
    (POOL, "        _updatesHash = keccak256(abi.encode(updates));\n", ""),
    (POOL, "        SafeCast.toUint32(block.timestamp + 2 * uint256(CHALLENGE_SECONDS));\n", ""),
    (POOL, "uint32(block.timestamp + CHALLENGE_SECONDS)", "SafeCast.toUint32(block.timestamp + CHALLENGE_SECONDS)"),
    (BASE, "state.activatesAt()", "state.activeAt()"),
)  # fmt: skip
FUNCTIONS = (
    "challengeTransition", "challengeTotal", "challengeDuplicate", "demand", "answer", "cancelUnanswered",
    "reclaimDemandBond", "withdrawCredit", "credits", "demandOf",
)  # fmt: skip
MOST_OF_A_CLAIM, MOST_OF_A_PROPOSAL = 0, 1.10


def without() -> dict[str, str]:
    """The sources without fraud proofs; ValueError names a cut that does not fit."""
    texts = {path: text.decode() for path, text in _sources().items()}
    for path, old, new in CUTS:
        if texts[path].count(old) != 1:
            raise ValueError(f"{old!r} stands not once in {path}")
        texts[path] = texts[path].replace(old, new)
    for name in FUNCTIONS:
        texts[INTERFACE], count = re.subn(rf"    function {name}\([^;]*;\n", "", texts[INTERFACE])
        if count != 1:
            raise ValueError(f"{name} stands {count} times in {INTERFACE}")
    # A comment on a function that is gone would stand before an end of the contract, or before another function's.
    texts[INTERFACE] = re.sub(r"    ///[^\n]*\n", "", texts[INTERFACE])
    for path in texts:
        texts[path] = texts[path].replace("    /// @inheritdoc ISettlementPool\n", "")
    del texts["contracts/pool/Challenges.sol"]
    return texts


def built(sources: dict[str, str]) -> dict[str, Any]:
    """The pool in the form of the frozen ones, compiled as they are."""
    settings = compiler()
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": {
            "remappings": ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"],
            "optimizer": settings["optimizer"],
            "viaIR": settings["viaIR"],
            "evmVersion": settings["evmVersion"],
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
            "outputSelection": {POOL: {"SettlementPool": ["abi", "evm.bytecode.object"]}},
        },
    }
    done = subprocess.run(
        [ROOT / ".cache" / "solcx" / "solc-v0.8.37", "--standard-json", "--base-path", "."],
        cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    if POOL not in answer.get("contracts", {}):
        sys.exit("\n".join(one["formattedMessage"] for one in answer["errors"]))
    found = answer["contracts"][POOL]["SettlementPool"]
    return {"abi": found["abi"], "deploymentBytecode": {"bytecode": found["evm"]["bytecode"]["object"]}}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--check", action="store_true", help="change nothing; exit 1 for other figures")
    check = arguments.parse_args().check
    with closing(Anvil()) as node:
        shipped = measure(node)
    with closing(Anvil()) as node:
        bare = measure(node, built(without()))
    if not check:
        WITHOUT.write_text(json.dumps(bare, indent=2) + "\n")
    elif json.loads(WITHOUT.read_text()) != bare:
        sys.exit("tests/gas/without_fraud_proofs.json holds other figures: run `make gas`")
    rows = [[name, f"{gas:,}", f"{bare[name]:,}", f"{gas - bare[name]:,}"] for name, gas in shipped.items()]
    print(table(["case", "with", "without", "more"], rows))
    wrong = [
        name
        for name, gas in shipped.items()
        if name not in ("deposit", "propose") and gas - bare[name] > MOST_OF_A_CLAIM
    ]
    if shipped["propose"] > MOST_OF_A_PROPOSAL * bare["propose"]:
        wrong.append("propose")
    if wrong:
        sys.exit(f"fraud proofs make {', '.join(wrong)} too dear")


if __name__ == "__main__":
    main()
