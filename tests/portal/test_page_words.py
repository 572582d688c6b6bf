"""What the claim page says, from its sources in Node: no browser and no chain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ESBUILD = ROOT / "node_modules/.bin/esbuild"
POOL = "0x7783" + "0" * 32 + "F618"


def said(expression: str) -> Any:
    """The value of an expression over the page's modules and viem."""
    script = f"""
        import * as viem from 'viem';
        import {{ explain }} from './errors';
        import {{ poolAbi, registryAbi }} from './chain';
        import {{ exactTime }} from './text';
        console.log(JSON.stringify({expression}));
    """
    bundled = subprocess.run(
        [ESBUILD, "--bundle", "--format=esm", "--platform=node", "--log-level=error"],
        cwd=ROOT / "portal/src", input=script, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    done = subprocess.run(
        ["node", "--input-type=module"],
        input=bundled, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_times_are_told_to_the_second() -> None:
    seconds = [0, 1, 59, 60, 3601, 86_399, 86_400, 90_061, 2 * 86_400 + 2]
    assert said(f"{seconds}.map(exactTime)") == [
        "0 seconds", "1 second", "59 seconds", "1 minute", "1 hour 1 second",
        "23 hours 59 minutes 59 seconds", "1 day", "1 day 1 hour 1 minute 1 second", "2 days 2 seconds",
    ]  # fmt: skip


def test_errors_are_one_sentence() -> None:
    def absent(abi: str, name: str) -> str:
        cause = f"new viem.ContractFunctionZeroDataError({{ functionName: '{name}' }})"
        about = f"{{ abi: {abi}, contractAddress: '{POOL}', functionName: '{name}', args: [] }}"
        return f"explain(new viem.ContractFunctionExecutionError({cause}, {about}))"

    unknown = (
        "explain(new viem.BaseError('It broke.\\n  Badly.', { details: 'long', metaMessages: ['more'] }))"
    )
    plain = "explain(new Error('one\\ntwo'))"
    assert said(
        f"[{absent('poolAbi', 'status')}, {absent('registryAbi', 'nonces')}, {unknown}, {plain}]"
    ) == [
        "There is no pool 0x7783…F618 on this chain. Is this the right node?",
        "There is no contract 0x7783…F618 on this chain. Is this the right node?",
        "Something failed: It broke. Badly.",
        "Something failed: one two",
    ]
