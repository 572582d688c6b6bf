"""`ame rights publish`, `read`, `vouch` and `ame bind` on anvil, as people call them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ame.cli import cli
from ame.encoding import account_id, named_id, typed_data
from ame.errors import AmeError
from ame.execution.chain import connect, sign
from ame.mapping import registration
from ame.mapping.rights import load_rights
from tests.e2e.test_demo import anvil, free_port
from tests.mapping import HEAD, asset, text_of

pytestmark = pytest.mark.chain
ACCOUNTS = [
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
]
YEAR_3000 = 32_503_680_000
REGISTRAR, ALICE = 2, 3  # numbers of the accounts that HEAD names


class Devnet:
    """A chain with both registries."""

    def __init__(self, network: str) -> None:
        self.network = network
        with connect(network) as chain:
            sender = chain.account("TEST::0")
            self.contributors = chain.deploy("ContributorRegistry", sender=sender).address
            self.rights = chain.deploy("RightsRegistry", self.contributors, sender=sender).address

    def ame(self, *arguments: str) -> Result:
        done = CliRunner(mix_stderr=False).invoke(cli, [*arguments, "--network", self.network])
        if done.exception and not isinstance(done.exception, SystemExit | AmeError):
            raise done.exception
        return done

    def rights_command(self, verb: str, *arguments: str) -> Result:
        return self.ame("rights", verb, *arguments, "--registry", self.rights)


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    port = free_port()
    with anvil(port, tmp_path_factory.mktemp("anvil") / "state.json"):
        yield Devnet(f"ethereum:devnet:http://127.0.0.1:{port}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rights.yaml"
    file.write_text(text_of(asset("a", f"sha256: '{tmp_path.name.encode().hex():0>64.64}'"), HEAD))
    return file


def published(devnet: Devnet, path: Path) -> int:
    """The block of the publication."""
    done = devnet.rights_command("publish", str(path), "--account", "TEST::0", "--yes")
    assert done.exit_code == 0, done
    assert done.stdout.splitlines()[0].startswith("registered: a 0x")
    return int(done.stdout.splitlines()[-1].removeprefix("block "))


def holders(path: Path) -> dict[str, int]:
    return {one.contributor: one.ppm for one in load_rights(path).assets["a"].holdings}


def test_published_rights_are_read_back_at_a_block(devnet: Devnet, path: Path, tmp_path: Path) -> None:
    block = published(devnet, path)
    file = load_rights(path)
    with connect(devnet.network) as chain:
        registered = registration.to_registered(
            file.assets["a"], file, {}, load_rights(path).assets["a"].holdings[0].start
        )
        known = registration.asset_id(ACCOUNTS[0], registered.content_hash)
        contract, alice = chain.at("RightsRegistry", devnet.rights), chain.account(f"TEST::{ALICE}")
        arguments = (known, registered, account_id(ACCOUNTS[ALICE]), account_id(ACCOUNTS[1]), 400_000)
        chain.send(contract.transferPart, *arguments, sender=alice)
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    devnet.rights_command("read", str(path), "--block", str(block), "-o", str(before))
    done = devnet.rights_command("read", str(path), "-o", str(after))
    assert done.exit_code == 0, done
    assert holders(before) == {"hf:alice": 1_000_000}
    assert holders(after) == {"hf:alice": 600_000, f"did:pkh:eip155:31337:{ACCOUNTS[1]}": 400_000}
    as_of = load_rights(before).as_of
    assert as_of is not None
    assert tuple(as_of) == (31337, devnet.rights, block)
    again = tmp_path / "again.yaml"
    devnet.rights_command("read", str(path), "--block", str(block), "-o", str(again))
    assert again.read_bytes() == before.read_bytes()


def test_publishing_again_changes_nothing(devnet: Devnet, path: Path) -> None:
    published(devnet, path)
    done = devnet.rights_command("publish", str(path), "--account", "TEST::0", "--yes")
    assert done.stdout.startswith("unchanged: a 0x")


def test_content_of_others_is_left_to_them_unless_it_is_contested(devnet: Devnet, path: Path) -> None:
    published(devnet, path)
    rival = ("--account", "TEST::1", "--yes")
    assert devnet.rights_command("publish", str(path), *rival).stdout.startswith("registered by others: a 0x")
    assert devnet.rights_command("publish", str(path), "--contest", *rival).stdout.startswith(
        "registered: a 0x"
    )
    read = devnet.rights_command("read", str(path))
    content = registration.content_hash(load_rights(path).assets["a"])
    with connect(devnet.network) as chain:
        contract = chain.at("RightsRegistry", devnet.rights)
        assert contract.isContested(content)
        assert f'contributor: "id:0x{bytes(contract.escrowIdOf(content)).hex()}"' in read.stdout


def test_publishing_ends_with_1_where_a_stranger_was_first(
    devnet: Devnet, path: Path, tmp_path: Path
) -> None:
    stolen = tmp_path / "stolen.yaml"
    stolen.write_text(path.read_text().replace("contributor: 'hf:alice'", "contributor: 'hf:bob'"))
    done = devnet.rights_command("publish", str(stolen), "--account", "TEST::1", "--yes")
    assert done.exit_code == 0, done
    done = devnet.rights_command("publish", str(path), "--account", "TEST::0", "--yes")
    assert done.exit_code == 1
    refused = done.stderr.splitlines()[-1]
    assert refused.startswith(f"Error: {path}: asset a: ")
    assert "register yours with --contest" in refused
    assert "registered" not in done.stdout


def test_the_winner_of_a_contest_gets_a_voucher_for_its_escrow_id(
    devnet: Devnet, path: Path, tmp_path: Path
) -> None:
    published(devnet, path)
    content = registration.content_hash(load_rights(path).assets["a"])
    early = devnet.rights_command("release", content.hex())
    assert early.exit_code == 1
    assert "no contest of the content" in str(early.exception)

    devnet.rights_command("publish", str(path), "--contest", "--account", "TEST::1", "--yes")
    winner = registration.asset_id(ACCOUNTS[1], content)
    with connect(devnet.network) as chain:
        contract = chain.at("RightsRegistry", devnet.rights)
        message = typed_data(
            "AME RightsRegistry", chain.id, devnet.rights, "Settle",
            contentHash=content, assetId=winner, registrations=2, deadline=YEAR_3000,
        )  # fmt: skip
        signatures = [sign(chain.account(f"TEST::{number}"), message) for number in (0, 1)]
        chain.send(contract.settle, content, winner, YEAR_3000, signatures, sender=chain.account("TEST::2"))
        escrow = bytes(contract.escrowIdOf(content))

    voucher = tmp_path / "voucher.json"
    voucher.write_text(devnet.rights_command("release", content.hex()).stdout)
    bound = devnet.ame("bind", str(voucher), "--account", "TEST::1", "--yes", "--json")
    assert json.loads(bound.stdout)["contributor_id"] == "0x" + escrow.hex()
    with connect(devnet.network) as chain:
        assert chain.at("ContributorRegistry", devnet.contributors).holderOf(escrow) == ACCOUNTS[1]


def test_an_asset_that_was_never_published_is_named(devnet: Devnet, path: Path) -> None:
    done = devnet.rights_command("read", str(path))
    assert done.exit_code == 1
    assert "expected the asset 'a' in the registry at block" in str(done.exception)


def test_a_registrar_vouches_and_the_holder_binds(devnet: Devnet, tmp_path: Path) -> None:
    vouched = devnet.ame(
        "rights", "vouch", "hf:alice", "--holder", ACCOUNTS[ALICE], "--registry", devnet.contributors,
        "--account", f"TEST::{REGISTRAR}", "--recovery-days", "30", "--yes",
    )  # fmt: skip
    voucher = tmp_path / "voucher.json"
    voucher.write_text(vouched.stdout)
    stranger = devnet.ame("bind", str(voucher), "--account", "TEST::1", "--yes")
    assert f"expected a voucher for {ACCOUNTS[1]}, got one for {ACCOUNTS[ALICE]}" in str(stranger.exception)

    bound = devnet.ame(
        "bind", str(voucher), "--account", f"TEST::{ALICE}", "--payout", ACCOUNTS[1], "--yes", "--json"
    )
    known = named_id(ACCOUNTS[REGISTRAR], "hf:alice")
    assert json.loads(bound.stdout)["contributor_id"] == "0x" + known.hex()
    with connect(devnet.network) as chain:
        registry = chain.at("ContributorRegistry", devnet.contributors)
        assert (registry.holderOf(known), registry.payoutOf(known)) == (ACCOUNTS[ALICE], ACCOUNTS[1])
        assert registry.recoverySecondsOf(known) == 30 * 86_400
    twice = devnet.ame("bind", str(voucher), "--account", f"TEST::{ALICE}", "--yes")
    assert "AlreadyBound" in str(twice.exception)
