import pytest

from examples.coalition import present_assets

ASSETS = (("a", "b"), ("c",), ("d", "e"))


def test_bits_name_assets_in_stage_order():
    assert present_assets(ASSETS, 0b10110) == (("b",), ("c",), ("e",))


def test_empty_coalition_has_nothing_in_any_stage():
    assert present_assets(ASSETS, 0) == ((), (), ())


@pytest.mark.parametrize("coalition", [-1, 1 << 5, True, 1.0])
def test_refuses_a_coalition_of_unknown_players(coalition):
    with pytest.raises(ValueError, match=r"expected an integer below 2\^5"):
        present_assets(ASSETS, coalition)
