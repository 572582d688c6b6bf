from collections import Counter
from pathlib import Path

import pytest
import yaml
from eth_account import Account

from ame.mapping.rights import load_rights
from examples.digits.pipeline import PIPELINES, asset_sha256

MNEMONIC = "test test test test test test test test test test test junk"


PATH = Path(__file__).parents[2] / "examples/digits/rights.yaml"


@pytest.fixture(scope="module")
def rights():
    return yaml.safe_load(PATH.read_text(encoding="utf-8"))


def development_address(index: int) -> str:
    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address


def test_wallets_are_development_accounts_3_to_17_in_order(rights):
    wallets = [person["wallet"] for person in rights["contributors"] if "wallet" in person]
    assert wallets == [development_address(index) for index in range(3, 18)]


def test_names_are_vouched_for_by_account_2(rights):
    assert set(rights["registrars"].values()) == {development_address(2)}
    assert {person["name"].split(":")[0] for person in rights["contributors"]} == set(rights["registrars"])


def test_exactly_one_contributor_has_no_wallet_yet(rights):
    assert [person["name"] for person in rights["contributors"] if "wallet" not in person] == ["hf:nadia"]


def test_every_asset_of_every_product_is_listed_once_with_its_hash(rights):
    listed = {asset["id"]: asset for asset in rights["assets"]}
    used = {
        (stage, asset)
        for pipeline in PIPELINES.values()
        for stage, assets in zip(pipeline.stages, pipeline.assets, strict=True)
        for asset in assets
    }
    assert len(listed) == len(rights["assets"])
    assert {(asset["stage"], asset["id"]) for asset in rights["assets"]} == used
    assert all(asset["sha256"] == asset_sha256(name) for name, asset in listed.items())


def test_splits_add_up_and_one_asset_has_two_owners(rights):
    holders = [asset["holders"] for asset in rights["assets"]]
    assert {sum(holder["ppm"] for holder in each) for each in holders} == {1_000_000}
    assert Counter(len(each) for each in holders) == {1: 20, 2: 1}


def test_every_contributor_holds_something(rights):
    holding = {holder["contributor"] for asset in rights["assets"] for holder in asset["holders"]}
    assert holding == {person["name"] for person in rights["contributors"]}


def test_mapping_reads_the_file():
    assert len(load_rights(PATH).assets) == 21
