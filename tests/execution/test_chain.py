"""The shipped contracts at addresses, whatever Ape remembers of these."""

from __future__ import annotations

import copy

import pytest
from eth_utils.abi import function_signature_to_4byte_selector

from ame.execution.chain import EMBEDDED, artifact, connect


@pytest.mark.chain
def test_a_contract_is_called_by_its_own_interface_not_by_a_remembered_one() -> None:
    older = copy.deepcopy(artifact("SettlementPool")["contractType"])
    [changed] = [one for one in older["abi"] if one.get("name") == "claimTo"]
    changed["inputs"] = [*changed["inputs"][:2], changed["inputs"][3], changed["inputs"][2]]
    selector = function_signature_to_4byte_selector(
        "claimTo((uint8,uint32,bytes32,uint128,bytes)[],address,bytes,uint256)"
    )
    with connect(EMBEDDED) as chain:
        import ape
        from ethpm_types import ContractType

        sender = chain.account("TEST::0")
        address = chain.deploy("ContributorRegistry", sender=sender).address  # any code will do
        ape.chain.contracts.contract_types[address] = ContractType.model_validate(older)

        pool = chain.at("SettlementPool", address)
        assert pool.claimTo.encode_input([], sender.address, b"", 0)[:4] == selector
