"""balance, claim and bind on the command line, against anvil."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from ame.cli import cli
from ame.encoding import named_id, to_hex
from tests.portal.devnet import ALICE, BOB, OPERATOR, OUTSIDER, REGISTRAR, World, person

pytestmark = pytest.mark.chain
SHELL = CliRunner(mix_stderr=False)


def run(world: World, *arguments: str, **options: Any) -> Result:
    return SHELL.invoke(
        cli, [arguments[0], "--network", f"ethereum:devnet:{world.net.url}", *arguments[1:]], **options
    )


def key_file(tmp_path: Path, account: Any) -> str:
    path = tmp_path / f"{account.address}.key"
    path.write_text(account.key.hex() + "\n")
    return str(path)


def paid_to(world: World, address: str) -> int:
    return int(world.coin.functions.balanceOf(address).call())


def test_balance_tells_pending_from_claimable(world: World) -> None:
    world.settle([person(ALICE, 1, 0, 0, 0)], 600 * world.unit)
    world.propose([person(ALICE, 0, 0, 0, 1)], 300 * world.unit)

    shown = json.loads(
        run(
            world,
            "balance",
            "--bundle",
            str(world.folders[0]),
            "--bundle",
            str(world.folders[1]),
            "--json",
            ALICE.address,
        ).stdout
    )

    assert (shown["claimable"], shown["pending"]) == (
        shown["earned"],
        str(world.published[1].bundle.settlement.amounts[3]),
    )
    assert shown["earned"] == str(world.published[0].bundle.settlement.amounts[0])


def test_claim_pays_the_payout_address_whoever_sends_it(world: World, tmp_path: Path) -> None:
    bundle = world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)

    result = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--for",
        ALICE.address,
        "--key-file",
        key_file(tmp_path, OUTSIDER),
        "--yes",
    )

    assert result.exit_code == 0, result.output
    assert paid_to(world, ALICE.address) == bundle.settlement.amounts[0] + bundle.settlement.amounts[3]


def test_claim_asks_before_it_signs(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)

    result = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--key-file",
        key_file(tmp_path, ALICE),
        input="n\n",
    )

    assert result.exit_code == 1
    for fact in ("31337", world.pool.address, ALICE.address, "USDC"):
        assert fact in result.stderr
    assert paid_to(world, ALICE.address) == 0


def test_keystore_file_signs_a_claim_to_another_address(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    keystore = tmp_path / "alice.json"
    keystore.write_text(json.dumps(Account.encrypt(ALICE.key, "secret", iterations=2)))

    result = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--keystore",
        str(keystore),
        "--to",
        BOB.address,
        "--yes",
        "--json",
        input="secret\n",
    )

    assert result.exit_code == 0, result.output
    assert paid_to(world, BOB.address) == int(json.loads(result.stdout.splitlines()[-1])["amount"]) > 0


def test_wrong_passphrase_and_bad_key_are_one_line_without_the_key(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    keystore, bad = tmp_path / "alice.json", tmp_path / "bad.key"
    keystore.write_text(json.dumps(Account.encrypt(ALICE.key, "secret", iterations=2)))
    bad.write_text("0x" + "zz" * 32)

    wrong = run(
        world, "claim", "--bundle", str(world.folders[0]), "--keystore", str(keystore), input="guess\n"
    )
    unreadable = run(world, "claim", "--bundle", str(world.folders[0]), "--key-file", str(bad))

    assert "expected a keystore file and its passphrase" in str(wrong.exception)
    assert "expected a private key" in str(unreadable.exception)
    assert "zz" not in str(unreadable.exception)


def test_relayed_claim_is_sent_by_somebody_else(world: World, tmp_path: Path) -> None:
    bundle = world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    relayed = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--key-file",
        key_file(tmp_path, ALICE),
        "--to",
        BOB.address,
        "--relay",
        "--yes",
    )
    signed = tmp_path / "signed.json"
    signed.write_text(relayed.stdout)

    sent = run(world, "claim", "--signed", str(signed), "--key-file", key_file(tmp_path, OUTSIDER), "--yes")

    assert sent.exit_code == 0, sent.output
    assert paid_to(world, BOB.address) == bundle.settlement.amounts[0] + bundle.settlement.amounts[3]
    again = run(world, "claim", "--signed", str(signed), "--key-file", key_file(tmp_path, OUTSIDER), "--yes")
    assert again.exit_code == 1


def test_registrar_vouches_holder_binds_and_claims(world: World, tmp_path: Path) -> None:
    name = "hf:alice"
    bundle = world.settle([(named_id(REGISTRAR.address, name), name, (1, 0, 0, 0))], 600 * world.unit)
    unbound = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--for",
        name,
        "--key-file",
        key_file(tmp_path, ALICE),
        "--yes",
    )
    assert "not bound" in str(unbound.exception)
    vouched = run(
        world,
        "bind",
        "--vouch",
        name,
        "--holder",
        ALICE.address,
        "--registry",
        world.registry.address,
        "--key-file",
        key_file(tmp_path, REGISTRAR),
        "--yes",
    )
    voucher = tmp_path / "voucher.json"
    voucher.write_text(vouched.stdout)

    bound = run(
        world,
        "bind",
        str(voucher),
        "--payout",
        BOB.address,
        "--key-file",
        key_file(tmp_path, ALICE),
        "--yes",
        "--json",
    )
    claimed = run(
        world,
        "claim",
        "--bundle",
        str(world.folders[0]),
        "--for",
        name,
        "--key-file",
        key_file(tmp_path, OUTSIDER),
        "--yes",
    )

    assert json.loads(bound.stdout)["contributor_id"] == to_hex(named_id(REGISTRAR.address, name))
    assert claimed.exit_code == 0, claimed.output
    assert paid_to(world, BOB.address) == bundle.settlement.amounts[0]


def test_outdated_bundles_cannot_tell(world: World) -> None:
    for _ in range(3):
        world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)

    result = run(world, "balance", "--bundle", str(world.folders[0]), ALICE.address)

    assert "get the latest bundles" in str(result.exception)


def test_plain_cast_sends_a_relayed_claim(world: World, tmp_path: Path) -> None:
    from tests.portal.devnet import environment, native

    bundle = world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    signed = json.loads(
        run(
            world,
            "claim",
            "--bundle",
            str(world.folders[0]),
            "--key-file",
            key_file(tmp_path, ALICE),
            "--relay",
            "--yes",
        ).stdout
    )

    key = "0x" + OUTSIDER.key.hex()
    subprocess.run(
        [
            native("cast"),
            "send",
            "--rpc-url",
            world.net.url,
            "--private-key",
            key,
            signed["to"],
            signed["data"],
        ],
        env=environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )

    assert paid_to(world, ALICE.address) == bundle.settlement.amounts[0] + bundle.settlement.amounts[3]


def test_deposits_go_back_from_an_abandoned_pool(world: World, tmp_path: Path) -> None:
    pool = World(world.net, tmp_path, abandon_seconds=10**6)
    pool.settle([person(ALICE, 1, 0, 0, 0)], 600 * pool.unit)
    for amount in (70, 30):
        pool.deposit(amount)
    refund = ("refund", pool.pool.address, "--account", "TEST::9", "--yes")

    early = run(pool, *refund)
    pool.net.pass_time(10**6)
    done = run(pool, *refund)

    assert "NotAbandoned" in str(early.exception)
    assert done.exit_code == 0, done.output
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["0.000030", "0.000070"]
    assert paid_to(pool, OPERATOR.address) == 100
    assert pool.pool.functions.closed().call()
