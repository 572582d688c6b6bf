"""Writes a rights file to the RightsRegistry, and reads the holders back as of a block."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from eth_abi.abi import encode

from ame.encoding import ZERO_ADDRESS, to_hex
from ame.errors import AmeError, ChainError
from ame.execution.signed_files import Voucher
from ame.mapping import registration
from ame.mapping.registration import Part, RegisteredAsset, RegistryFacts, Standing
from ame.mapping.rights import Asset, Rights

if TYPE_CHECKING:
    from ame.execution.chain import Chain

_ERC1271 = bytes.fromhex("1626ba7e")
BLOCKS_PER_REQUEST = 2_000  # what public nodes allow for eth_getLogs


class Published(NamedTuple):
    """What one asset's publication did. `problem`: why it was refused."""

    asset: str
    asset_id: bytes
    state: str  # registered, unchanged, registered by others, or refused
    problem: str = ""


def publish(
    chain: Chain,
    registry: str,
    rights: Rights,
    at: datetime,
    sender: Any,
    contest: bool = False,
    accepted: Collection[str] = (),
) -> Iterator[Published]:
    """Register every asset of a rights file, parents first, in the sender's name.

    What the sender has registered already must be the same. Content that somebody else has registered is left to her
    where the file's holders hold it, or where it is `accepted`; with `contest`, a second registration contests it.
    What is neither, what is contested already, and what was made from such assets is refused, the others are not.
    """
    registration.check_accepted(rights, accepted)
    contract = chain.at("RightsRegistry", registry)
    history: dict[bytes, list[_Change]] | None = None
    ids: dict[str, bytes] = {}
    for name in rights.order:
        asset = rights.assets[name]
        content = registration.content_hash(asset)
        registrants = list(contract.registrantsOf(content))
        if sender.address not in registrants and registrants and not contest:
            counting = bytes(contract.assetOf(content))
            if history is None:
                history = _history(
                    chain.provider.web3.eth.contract(address=registry, abi=_abi()),
                    _first_block(chain.provider.web3, registry, chain.block),
                    chain.block,
                )
            problem = _problem(rights, asset, at, history.get(counting, []))
            if problem and (not any(counting) or name not in accepted):
                yield Published(name, counting, "refused", problem)
                continue
            ids[name] = counting
            yield Published(name, counting, "registered by others")
            continue
        missing = [parent.asset for parent in asset.parents if parent.asset not in ids]
        if missing:  # its registration names theirs, for good
            yield Published(name, bytes(32), "refused", f"was made from {missing[0]}, which is refused")
            continue
        ids[name] = registration.asset_id(sender.address, content)
        registered = registration.to_registered(asset, rights, ids, at)
        if sender.address in registrants:
            if bytes(contract.assetHash(ids[name])) != registration.asset_hash(registered):
                raise ChainError(
                    f"{name}: is registered with other terms or another split ({to_hex(ids[name])}); "
                    "a split is changed by its holders, with transferPart"
                )
            yield Published(name, ids[name], "unchanged")
            continue
        chain.send(contract.register, registered, asset.stage, asset.license or "", sender=sender)
        yield Published(name, ids[name], "registered")


def _problem(rights: Rights, asset: Asset, at: datetime, changes: Sequence[_Change]) -> str:
    """Why content that others have registered is not left to them; empty where it is."""
    if not changes:
        return "its content is contested; its money waits in escrow until that is settled"
    if registration.is_filed(asset, rights, at, [change.asset.split for change in changes]):
        return ""
    return (
        f"is registered by {changes[0].registrant} with other holders than the file's; "
        f"register yours with --contest, or accept theirs with --accept {asset.id}"
    )


def release(chain: Chain, registry: str, content: bytes, deadline: int) -> Voucher:
    """The RightsRegistry's voucher for the escrow id of a content whose contest was settled.

    ChainError where it vouches for none of the registrants. It needs no signature: the contract answers for itself.
    """
    contract = chain.at("RightsRegistry", registry)
    contributors = chain.at("ContributorRegistry", str(contract.CONTRIBUTORS()))
    signature = encode(["bytes32", "uint256"], [content, deadline])
    for holder in contract.registrantsOf(content):
        digest = contributors.vouchDigest(content, holder, 0, deadline)
        if bytes(contract.isValidSignature(digest, signature)) == _ERC1271:
            name = f"sha256:{content.hex()}"
            return Voucher(
                chain.id, contributors.address, name, registry, holder, 0, deadline, signature, content
            )
    raise ChainError(f"no contest of the content {to_hex(content)} was settled: its escrow id is nobody's")


def read_published(chain: Chain, rights: Rights) -> RegistryFacts | None:
    """What the registry that a rights file names says as of the block that it names; None where it names none.

    ChainError where the chain is another one, or the node does not know that block.
    """
    as_of = rights.as_of
    if as_of is None:
        return None
    if as_of.chain_id != chain.id:
        raise ChainError(f"expected chain {as_of.chain_id}, whose rights {rights.file} names, got {chain.id}")
    web3 = chain.provider.web3
    code = bytes(web3.eth.get_code(as_of.registry, block_identifier=as_of.block))
    time = chain.time_of(as_of.block)
    if not code:
        return RegistryFacts(as_of, time, code, ZERO_ADDRESS, {})
    contract = web3.eth.contract(address=as_of.registry, abi=_abi())
    try:
        contributors = str(contract.functions.CONTRIBUTORS().call(block_identifier=as_of.block))
        standings = read_standings(chain, as_of.registry, rights, as_of.block)
    except AmeError as error:
        return RegistryFacts(as_of, time, code, ZERO_ADDRESS, {}, error)
    except Exception as error:  # a contract that only pretends to be a registry answers anything
        return RegistryFacts(
            as_of, time, code, ZERO_ADDRESS, {}, ChainError(f"{type(error).__name__}: {error}")
        )
    return RegistryFacts(as_of, time, code, contributors, standings)


def read_standings(
    chain: Chain, registry: str, rights: Rights, block: int, first_block: int | None = None
) -> dict[str, Standing]:
    """What the registry said at a block of the assets in a rights file. Assets that it did not know are
    left out.

    first_block: where its events start; by default found by asking when its code appeared. Every split is
    checked against the hash that the registry stores; ChainError if a node tells another story.
    """
    chain.at("RightsRegistry", registry)
    web3 = chain.provider.web3
    contract = web3.eth.contract(address=registry, abi=_abi())
    if first_block is None:
        first_block = _first_block(web3, registry, block)
    history = _history(contract, first_block, block)
    at = _time(web3, block)
    standings = {}
    for name, asset in rights.assets.items():
        content = registration.content_hash(asset)
        if not contract.functions.registrantsOf(content).call(block_identifier=block):
            continue
        escrow = bytes(contract.functions.escrowIdOf(content).call(block_identifier=block))
        counting = bytes(contract.functions.assetOf(content).call(block_identifier=block))
        if not any(counting):
            since = max(
                (
                    changes[-1].block
                    for changes in history.values()
                    if changes[0].asset.content_hash == content
                ),
                default=block,
            )
            standings[name] = Standing(None, escrow, _time(web3, since))
            continue
        if counting not in history:
            raise ChainError(f"{name}: no registration from block {first_block} on; start at an earlier one")
        changes = history[counting]
        found = changes[-1].asset
        stored = bytes(contract.functions.assetHash(counting).call(block_identifier=block))
        if registration.asset_hash(found) != stored:
            raise ChainError(f"{name}: the node's events do not give the split that the registry stores")
        _check_terms(rights, asset, found)
        filed = registration.is_filed(asset, rights, at, [change.asset.split for change in changes])
        stranger = None if filed else changes[0].registrant
        standings[name] = Standing(found.split, escrow, _time(web3, changes[-1].block), stranger)
    return standings


def _check_terms(rights: Rights, asset: Asset, found: RegisteredAsset) -> None:
    expected = registration.to_terms(asset)
    if (found.stage_hash, found.license_hash) != expected:
        raise rights.asset_error(asset.id, "is registered with another stage or licence than the file says")


def _first_block(web3: Any, address: str, last: int) -> int:
    """The first block in which the address has code, by bisection; 0 where the node keeps no old state."""
    low, high = 0, last
    try:
        while low < high:
            middle = (low + high) // 2
            if web3.eth.get_code(address, block_identifier=middle):
                high = middle
            else:
                low = middle + 1
    except Exception:
        return 0
    return low


class _Change(NamedTuple):
    """An asset as it was registered, or as a holder changed it by passing on a part."""

    asset: RegisteredAsset
    block: int
    registrant: str


def _history(contract: Any, first: int, last: int) -> dict[bytes, list[_Change]]:
    """Registration and changes of every asset, in the order of the chain."""
    found = []
    for start in range(first, last + 1, BLOCKS_PER_REQUEST):
        end = min(start + BLOCKS_PER_REQUEST - 1, last)
        for kind in (contract.events.Registered, contract.events.SplitChanged):
            found += kind().get_logs(from_block=start, to_block=end)
    history: dict[bytes, list[_Change]] = {}
    for event in sorted(found, key=lambda event: (event["blockNumber"], event["logIndex"])):
        changes = history.setdefault(bytes(event["args"]["assetId"]), [])
        registrant = changes[0].registrant if changes else event["args"].get("registrant", "unknown")
        changes.append(_Change(_to_record(event["args"]["asset"]), event["blockNumber"], registrant))
    return history


def _to_record(asset: Any) -> RegisteredAsset:
    return RegisteredAsset(
        bytes(asset["contentHash"]),
        bytes(asset["stageHash"]),
        bytes(asset["licenseHash"]),
        tuple(map(bytes, asset["parents"])),
        tuple(Part(bytes(part["contributorId"]), int(part["ppm"])) for part in asset["split"]),
    )


def _time(web3: Any, block: int) -> datetime:
    return datetime.fromtimestamp(web3.eth.get_block(block)["timestamp"], UTC)


def _abi() -> Any:
    from ame.execution.chain import artifact

    return artifact("RightsRegistry")["contractType"]["abi"]
