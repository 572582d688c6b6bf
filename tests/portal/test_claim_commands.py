"""The contributor's command line against anvil: proofs as files, contract wallets, Ape's accounts, what is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ame.encoding import named_id
from tests.portal.devnet import (
    ALICE,
    BOB,
    OPERATOR,
    OUTSIDER,
    REGISTRAR,
    ROOT,
    World,
    environment,
    native,
    person,
)
from tests.portal.safe import Safe
from tests.portal.test_page import REFUSES_ETH
from tests.portal.test_wallet_commands import key_file, paid_to, run

pytestmark = pytest.mark.chain


def claim(world: World, *arguments: str, bundle: int = -1) -> Any:
    return run(world, "claim", "--bundle", str(world.folders[bundle]), *arguments)


def shell(world: World, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`ame` as a process of its own: nothing that a library prints is lost."""
    command, *rest = arguments
    return subprocess.run(
        [ROOT / ".venv/bin/ame", command, "--network", f"ethereum:devnet:{world.net.url}", *rest],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environ}, timeout=300, check=False,
    )  # fmt: skip


def test_exported_proof_is_claimed_by_anybody(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    proof = tmp_path / "proof.json"
    proof.write_text(claim(world, "--for", ALICE.address, "--export").stdout)

    sent = run(
        world, "claim", "--proof", str(proof), "--key-file", key_file(tmp_path, OUTSIDER), "--yes", "--json"
    )

    assert sent.exit_code == 0, sent.output
    assert paid_to(world, ALICE.address) == int(json.loads(sent.stdout)["amount"]) == 235 * world.unit
    again = run(world, "claim", "--proof", str(proof), "--key-file", key_file(tmp_path, OUTSIDER), "--yes")
    assert "all that this proof shows has been paid" in str(again.exception)


def test_holder_claims_an_exported_proof_to_another_address(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    proof = tmp_path / "proof.json"
    proof.write_text(claim(world, "--for", ALICE.address, "--export").stdout)

    by = ("--key-file", key_file(tmp_path, ALICE), "--to", BOB.address, "--yes")
    sent = run(world, "claim", "--proof", str(proof), *by)

    assert sent.exit_code == 0, sent.output
    assert paid_to(world, BOB.address) == 235 * world.unit


def test_exported_proof_is_claimed_with_plain_cast(world: World, tmp_path: Path) -> None:
    """The lines of docs/portal.md, run by a shell as they stand there."""
    if shutil.which("jq") is None:
        pytest.skip("the lines of docs/portal.md need jq")
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    (tmp_path / "claim.json").write_text(claim(world, "--for", ALICE.address, "--export").stdout)
    text = (ROOT / "docs/portal.md").read_text()
    block = text.split("<!-- run by tests/portal/test_claim_commands.py -->\n```sh\n")[1].split("```")[0]
    cast, folder = Path(native("cast")), tmp_path / "bin"
    folder.mkdir()
    (folder / "cast").symlink_to(cast)
    environ = {
        **environment(), "PATH": f"{folder}:{os.environ['PATH']}", "RPC": world.net.url,
        "KEY": "0x" + OUTSIDER.key.hex(),
    }  # fmt: skip

    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert paid_to(world, ALICE.address) == 235 * world.unit


def test_money_of_an_unbound_name_waits_and_is_not_claimable(world: World) -> None:
    name = "hf:alice"
    world.settle([(named_id(REGISTRAR.address, name), name, (1, 0, 0, 0))], 600 * world.unit)
    told = run(world, "balance", "--bundle", str(world.folders[0]), name)
    found = json.loads(run(world, "balance", "--bundle", str(world.folders[0]), name, "--json").stdout)

    assert "waits for binding" in told.stdout
    assert "claimable" not in told.stdout.splitlines()[2]
    assert (found["claimable"], found["waits_for_binding"]) == ("0", found["earned"])
    assert found["stages"][0]["claimable"] == "0"


def test_nothing_to_claim_tells_paid_from_pending(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 0)], 600 * world.unit)
    by = ("--key-file", key_file(tmp_path, ALICE), "--yes")
    claim(world, *by)
    second = world.propose([person(ALICE, 1, 0, 0, 0)], 300 * world.unit)

    result = claim(world, "--bundle", str(world.folders[1]), *by, bundle=0)

    first, pending = world.published[0].bundle.settlement.amounts[0], second.settlement.amounts[0]
    assert f"nothing to claim: {world.token.text(first)} has been paid" in str(result.exception)
    assert f"{world.token.text(pending)} is pending until 20" in str(result.exception)


def test_payout_address_is_changed_by_its_holder_only(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 0)], 600 * world.unit)
    change = ("payout", BOB.address, "--bundle", str(world.folders[0]), "--yes")

    refused = run(world, *change, "--for", ALICE.address, "--key-file", key_file(tmp_path, OUTSIDER))
    assert "only the holder of the id can do this" in str(refused.exception)
    done = run(world, *change, "--key-file", key_file(tmp_path, ALICE), "--json")
    assert json.loads(done.stdout)["payout"] == BOB.address
    claim(world, "--for", ALICE.address, "--key-file", key_file(tmp_path, OUTSIDER), "--yes")

    assert paid_to(world, BOB.address) == world.published[0].bundle.settlement.amounts[0]


def test_refused_ether_is_withdrawn(world: World, tmp_path: Path) -> None:
    pool = World(world.net, world.folder, eth=True)
    bundle = pool.settle([person(ALICE, 1, 0, 0, 0)], 10**18)
    refuses, fresh = pool.net.deploy_plain(REFUSES_ETH), Account.create().address
    by = ("--bundle", str(pool.folders[0]), "--key-file", key_file(tmp_path, ALICE), "--yes")
    nothing = run(pool, "withdraw", fresh, *by)
    assert "nothing to withdraw" in str(nothing.exception)
    run(pool, "payout", refuses, *by)
    run(pool, "claim", *by)
    assert "was refused by the payout address and waits: `ame withdraw`" in (
        run(pool, "balance", "--bundle", str(pool.folders[0]), ALICE.address).stdout
    )

    outsider = ("--bundle", str(pool.folders[0]), "--key-file", key_file(tmp_path, OUTSIDER), "--yes")
    refused = run(pool, "withdraw", fresh, "--for", ALICE.address, *outsider)
    assert f"expected the holder {ALICE.address}" in str(refused.exception)
    done = run(pool, "withdraw", fresh, *by)

    assert done.exit_code == 0, done.output
    assert pool.net.web3.eth.get_balance(fresh) == bundle.settlement.amounts[0]


def test_revert_leaves_standard_output_to_results(world: World, tmp_path: Path) -> None:
    """Ape itself would print a call trace there."""
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    signed = tmp_path / "signed.json"
    signed.write_text(claim(world, "--key-file", key_file(tmp_path, ALICE), "--relay", "--yes").stdout)
    send = ("claim", "--signed", str(signed), "--key-file", key_file(tmp_path, OUTSIDER), "--yes", "--json")

    first, again = shell(world, *send), shell(world, *send)

    assert (first.returncode, json.loads(first.stdout)["amount"]) == (0, str(235 * world.unit))
    assert (again.returncode, again.stdout) == (1, "")
    assert "InvalidSignature" in again.stderr
    assert "ask for a fresh one" in again.stderr


def test_ape_account_signs_by_its_alias(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    keys = tmp_path / "ape/accounts"
    keys.mkdir(parents=True)
    (keys / "alice.json").write_text(json.dumps(Account.encrypt(ALICE.key, "secret", iterations=2)))
    ape = {"APE_DATA_FOLDER": str(tmp_path / "ape"), "APE_ACCOUNTS_alice_PASSPHRASE": "secret"}
    by = ("claim", "--bundle", str(world.folders[0]), "--account", "alice", "--yes")

    relayed = shell(world, *by, "--relay", "--to", BOB.address, **ape)
    sent = shell(world, *by, "--json", **ape)

    assert json.loads(relayed.stdout)["recipient"] == BOB.address
    assert json.loads(sent.stdout)["amount"] == str(235 * world.unit)
    assert paid_to(world, ALICE.address) == 235 * world.unit
    unknown = run(world, *by[:-2], "nobody", "--yes")
    assert "no Ape account named 'nobody'" in str(unknown.exception)


def test_hardware_wallet_signs_through_its_ape_plugin(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a plugin's device: an account of Ape's interface, which gives no key away."""
    import ape
    from ape.api import AccountAPI
    from ape.types import MessageSignature, TransactionSignature
    from eth_account.messages import SignableMessage

    asked: list[str] = []

    class Device(AccountAPI):
        @property
        def address(self) -> Any:
            return ALICE.address

        @property
        def alias(self) -> str:
            return "device"

        def sign_message(self, msg: Any, **options: Any) -> MessageSignature:
            assert isinstance(msg, SignableMessage)
            asked.append("message")
            signed = ALICE.sign_message(msg)
            return MessageSignature(v=signed.v, r=signed.r.to_bytes(32), s=signed.s.to_bytes(32))

        def sign_transaction(self, txn: Any, **options: Any) -> Any:
            asked.append("transaction")
            fields = txn.model_dump(exclude={"sender"}, mode="json")
            fields = {name: value for name, value in fields.items() if value is not None}
            signed = ALICE.sign_transaction(
                {**fields, "to": world.net.web3.to_checksum_address(fields["to"])}
            )
            txn.signature = TransactionSignature(v=signed.v, r=signed.r.to_bytes(32), s=signed.s.to_bytes(32))
            return txn

    world.settle([person(ALICE, 1, 0, 0, 1)], 600 * world.unit)
    monkeypatch.setattr(type(ape.accounts), "_alias_to_account_cache", {"device": Device()})

    relayed = claim(world, "--account", "device", "--yes", "--relay", "--to", BOB.address)
    sent = claim(world, "--account", "device", "--yes")

    assert json.loads(relayed.stdout)["recipient"] == BOB.address
    assert sent.exit_code == 0, sent.output
    assert asked == ["message", "transaction"]
    assert paid_to(world, ALICE.address) == 235 * world.unit


def test_anybody_claims_ether_for_a_safe(world: World, tmp_path: Path) -> None:
    pool, safe = World(world.net, world.folder, eth=True), Safe(world.net)
    bundle = pool.settle([person(safe, 1, 0, 0, 0)], 10**18)

    done = run(
        pool, "claim", "--bundle", str(pool.folders[0]), "--for", safe.address,
        "--key-file", key_file(tmp_path, OUTSIDER), "--yes",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert pool.net.web3.eth.get_balance(safe.address) == bundle.settlement.amounts[0]


def test_safe_sends_an_exported_claim_to_another_address(world: World, tmp_path: Path) -> None:
    safe = Safe(world.net)
    bundle = world.settle([person(safe, 1, 0, 0, 0)], 600 * world.unit)

    refused = claim(
        world, "--for", safe.address, "--to", BOB.address, "--key-file", key_file(tmp_path, OUTSIDER)
    )
    assert f"expected the holder {safe.address}" in str(refused.exception)
    call = json.loads(claim(world, "--for", safe.address, "--to", BOB.address, "--export").stdout)
    safe.execute(call["to"], call["data"])

    assert paid_to(world, BOB.address) == bundle.settlement.amounts[0]


def test_safe_signs_and_somebody_else_sends(world: World, tmp_path: Path) -> None:
    """ERC-1271, with two of three owners; the signature of one is not enough."""
    safe = Safe(world.net)
    bundle = world.settle([person(safe, 1, 0, 0, 0)], 600 * world.unit)
    message, signed = tmp_path / "message.json", tmp_path / "signed.json"
    its = ("--for", safe.address)
    message.write_text(claim(world, *its, "--to", BOB.address, "--relay", "--typed-data").stdout)
    send = ("claim", "--signed", str(signed), "--key-file", key_file(tmp_path, OUTSIDER), "--yes")

    results = []
    for owners in (1, 2):
        signature = "0x" + safe.sign_typed(json.loads(message.read_text()), owners).hex()
        given = ("--relay", "--message", str(message), "--signature", signature)
        signed.write_text(claim(world, *its, *given).stdout)
        results.append(run(world, *send))

    assert "GS020" in str(results[0].exception) or "InvalidSignature" in str(results[0].exception)
    assert results[1].exit_code == 0, results[1].output
    assert paid_to(world, BOB.address) == bundle.settlement.amounts[0]
    used = claim(world, *its, "--relay", "--message", str(message), "--signature", "0x00")
    assert used.exception is not None


def test_message_of_another_pool_is_not_taken(world: World, tmp_path: Path) -> None:
    world.settle([person(ALICE, 1, 0, 0, 0)], 600 * world.unit)
    path = tmp_path / "message.json"
    message = json.loads(claim(world, "--for", ALICE.address, "--relay", "--typed-data").stdout)
    message["domain"]["verifyingContract"] = OPERATOR.address
    path.write_text(json.dumps(message))

    result = claim(world, "--for", ALICE.address, "--relay", "--message", str(path), "--signature", "0x00")

    assert "expected the message of this id, pool and chain" in str(result.exception)
