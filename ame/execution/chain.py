"""The chain, through Ape. Nothing else in AME imports Ape; it is loaded when a connection is opened."""

from __future__ import annotations

import json
import sys
import time
from ast import literal_eval
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, cast

from ame.encoding import ZERO_ADDRESS, check_address
from ame.errors import ChainError, InputError
from ame.execution.reverts import explain
from ame.execution.settlement import Books
from ame.records import Terms

EMBEDDED = "ethereum:local:test"
CONTRACTS = ("ContributorRegistry", "RightsRegistry", "PoolFactory", "SettlementPool", "TestToken")


def artifact(name: str) -> dict[str, Any]:
    """ABI, bytecode and immutable references of a contract, as `ape compile` made them and the wheel ships them."""
    text = resources.files("ame.execution").joinpath("artifacts", f"{name}.json").read_text()
    return cast(dict[str, Any], json.loads(text))


def check_account(name: str) -> str:
    """Refuse a test account without its number. Whether an alias exists is Ape's to say."""
    if name.startswith("TEST::") and not name.removeprefix("TEST::").isdecimal():
        raise InputError(f"account: expected TEST:: and a number such as TEST::0, got {name!r}")
    return name


class Chain:
    """An open connection. Contract objects are Ape's own."""

    def __init__(self, ape: Any, network: str) -> None:
        self._ape, self.network = ape, network

    @property
    def provider(self) -> Any:
        """Ape's provider, for raw requests."""
        return self._ape.chain.provider

    @property
    def id(self) -> int:
        """Chain id."""
        return int(self._ape.chain.chain_id)

    @property
    def now(self) -> int:
        """Time of the latest block, in seconds."""
        return int(self._ape.chain.blocks.head.timestamp)

    def time_of(self, block: int) -> datetime:
        """Time of a block."""
        return datetime.fromtimestamp(int(self._ape.chain.blocks[block].timestamp), UTC)

    @property
    def block(self) -> int:
        """Number of the latest block."""
        return int(self._ape.chain.blocks.height)

    def account(self, name: str, autosign: bool = False) -> Any:
        """A signer: an Ape account's alias, or TEST::n for a test account where the network has them."""
        if name.startswith("TEST::"):
            index, accounts = (
                int(check_account(name).removeprefix("TEST::")),
                self._ape.accounts.test_accounts,
            )
            return accounts[index] if index < len(accounts) else accounts.generate_account(index)
        try:
            account = self._ape.accounts.load(name)
        except KeyError as error:
            raise InputError(f"no Ape account named {name!r}; `ape accounts list` shows them") from error
        if autosign and hasattr(account, "set_autosign"):  # a hardware wallet asks on its own screen
            with redirect_stdout(sys.stderr):
                account.set_autosign(True)
        return account

    def account_of_key(self, key: bytes) -> Any:
        """A signer for a private key that the caller has in its hands, from a keystore or key file."""
        from ape_test.accounts import TestAccount
        from eth_account import Account

        address = Account.from_key(key).address
        return TestAccount(index=0, address_str=address, private_key="0x" + key.hex())

    def container(self, name: str) -> Any:
        """Ape's container of a shipped contract."""
        from ape.contracts import ContractContainer
        from ethpm_types import ContractType

        return ContractContainer(ContractType.model_validate(artifact(name)["contractType"]))

    def deploy(self, name: str, *arguments: Any, sender: Any) -> Any:
        """Deploy a shipped contract."""
        return sender.deploy(self.container(name), *arguments, **self._fees())

    def at(self, name: str, address: str) -> Any:
        """A shipped contract at an address. Raises ChainError if nothing is there (a chain that was started anew)."""
        check_address(address, f"address of {name}")
        if not self.code(address):
            raise ChainError(
                f"no contract at {address} on chain {self.id}, where {name} was expected: was the chain restarted? "
                "Deploy again, or point --network at the chain that has it"
            )
        # Ape would mix our ABI with what it remembers of the address, or what an explorer says: another version's, perhaps.
        return self._ape.chain.contracts.instance_at(
            address,
            contract_type=self.container(name).contract_type,
            fetch_from_explorer=False,
            detect_proxy=False,
            replace=True,
        )

    def code(self, address: str) -> bytes:
        """Code at an address."""
        return bytes(self.provider.get_code(address))

    def rpc(self, method: str, parameters: list[Any]) -> Any:
        """A JSON-RPC request in the standard's form, on the embedded chain too."""
        web3 = self.provider.web3
        if method == "eth_getLogs":  # eth-tester wants the filter in the form that only this call gives it
            return web3.eth.get_logs(*parameters)
        return web3.manager.request_blocking(method, parameters)

    def balance(self, token: str, holder: str) -> int:
        """What an address holds of a token, or of the chain's coin."""
        if token == ZERO_ADDRESS:
            return int(self.provider.get_balance(holder))
        return int(self.at("TestToken", token).balanceOf(holder))

    def wait(self, seconds: int) -> None:
        """Let time pass: on a development chain by moving its clock, elsewhere by waiting."""
        if self.network == EMBEDDED:
            self._ape.chain.mine(1, timestamp=self.now + seconds)
            return
        try:
            self.rpc("evm_increaseTime", [seconds])
            self.rpc("evm_mine", [])
        except Exception:
            until = self.now + seconds
            while self.now < until:
                time.sleep(1)

    def send(self, method: Any, *arguments: Any, sender: Any, value: int = 0) -> Any:
        """Send a transaction, wait for its receipt; a revert becomes a ChainError that names the contract's own error."""
        from ape.exceptions import ContractLogicError

        try:
            with redirect_stdout(sys.stderr):  # where an account asks; standard output is for results
                return method(*arguments, sender=sender, value=value, **self._fees())
        except ContractLogicError as error:
            function, found = str(method).partition("(")[0], self._named(error)
            raise ChainError(explain(function, type(found).__name__, str(found))) from error

    def _named(self, error: Any) -> Any:
        """The contract's own error. Ape overlooks py-evm's where a quote is among the bytes: Python writes these in double
        quotes."""
        data = str(error)
        if not data.startswith('b"'):
            return error
        plain = type(error)(revert_message="0x" + literal_eval(data).hex(), base_err=error, txn=error.txn)
        return self._ape.compilers.enrich_error(plain)

    def transfer(self, sender: Any, recipient: str, amount: int) -> Any:
        """Send the chain's coin."""
        return sender.transfer(recipient, amount, **self._fees())

    def _fees(self) -> dict[str, Any]:
        return {"required_confirmations": 0} if self.network != EMBEDDED else {}


@contextmanager
def connect(network: str = EMBEDDED) -> Iterator[Chain]:
    """Open a connection as Ape names networks; the default is the embedded chain, which ends with it."""
    import ape
    from ape.exceptions import ApeException
    from ape.logging import logger

    logger.set_level("ERROR")
    _silence_traces()
    try:
        context = ape.networks.parse_network_choice(network)
        context.__enter__()
    except (ApeException, OSError) as error:
        raise ChainError(f"cannot reach {network!r}: {error}") from error
    try:
        yield Chain(ape, network)
    finally:
        context.__exit__(None, None, None)


def _silence_traces() -> None:
    """Ape prints the call trace of a revert to standard output, which is for results, and asks the node for it."""
    from ape_ethereum import provider

    provider._get_trace_from_revert_kwargs = lambda **_: None


class Deployments:
    """What was deployed where: deployments/<chain id>.json, checked against the code on chain."""

    def __init__(self, folder: Path, chain: Chain) -> None:
        self.path, self.chain = folder / f"{chain.id}.json", chain
        self.addresses: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def find(self, name: str, contract: str | None = None) -> Any:
        """The contract remembered under this name. Raises ChainError if there is none, or no code there any more."""
        if name not in self.addresses:
            raise ChainError(f"{self.path}: nothing named {name!r} is remembered; `ame deploy` first")
        return self.chain.at(contract or name, self.addresses[name])

    def remember(self, name: str, address: str) -> None:
        """Write it down, whole or not at all."""
        self.addresses[name] = address
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(self.addresses, indent=2, sort_keys=True) + "\n")
        draft.rename(self.path)

    @property
    def is_stale(self) -> bool:
        """Whether something is remembered whose code is not on the chain: the chain was started anew."""
        return any(not self.chain.code(address) for address in self.addresses.values())


def create_pool(chain: Chain, factory: Any, terms: Terms, sender: Any, salt: bytes = bytes(32)) -> Any:
    """Open the pool of these terms; its address follows from them."""
    chain.send(factory.createPool, terms, salt, sender=sender)
    return chain.at("SettlementPool", factory.poolAddress(terms, salt))


def deposit(chain: Chain, pool: Any, amount: int, sender: Any, reference: bytes = bytes(32)) -> Any:
    """Deposit base units of the pool's token, approving them first where it is one."""
    token = pool.terms().token
    if token == ZERO_ADDRESS:
        return chain.send(pool.deposit, amount, reference, sender=sender, value=amount)
    chain.send(chain.at("TestToken", token).approve, pool.address, amount, sender=sender)
    return chain.send(pool.deposit, amount, reference, sender=sender)


def propose(chain: Chain, pool: Any, books: Books, evidence: bytes, sender: Any) -> Any:
    """Post a settlement with the bond that the pool asks for. Refuses a settlement of another pool or chain."""
    settlement = books.settlement
    if (settlement.chain_id, settlement.pool) != (chain.id, pool.address):
        raise InputError(
            f"expected a settlement of pool {pool.address} on chain {chain.id}, "
            f"got pool {settlement.pool} on chain {settlement.chain_id}"
        )
    table, before, stages = books.proposal
    bond = 0 if pool.bondHeld() else pool.terms().bondWei
    return chain.send(pool.propose, table, before, stages, evidence, sender=sender, value=bond)


def sign(account: Any, message: dict[str, Any]) -> bytes:
    """The account's EIP-712 signature, 65 bytes."""
    from eth_account.messages import encode_typed_data

    with redirect_stdout(sys.stderr):
        signature = account.sign_message(encode_typed_data(full_message=message))
    if signature is None:
        raise InputError(f"{account.address}: the account refused to sign {message['primaryType']}")
    return bytes(signature.encode_rsv())


def terms_of(pool: Any) -> Terms:
    """The pool's immutable terms."""
    return Terms(*_plain(pool.terms()))


def _plain(values: Sequence[Any]) -> list[Any]:
    return [bytes(value) if isinstance(value, bytes) else value for value in values]
