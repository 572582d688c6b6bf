"""Coalitions as bit masks over all assets of a pipeline, in stage order."""

from __future__ import annotations

Assets = tuple[tuple[str, ...], ...]


def present_assets(assets: Assets, coalition: int) -> Assets:
    """Per stage the assets whose bit is set, in the pipeline's own order.

    Raises ValueError when the coalition names a player that does not exist.
    """
    players = sum(len(stage) for stage in assets)
    if type(coalition) is not int or not 0 <= coalition < 1 << players:
        raise ValueError(f"coalition: expected an integer below 2^{players}, got {coalition!r}")
    present, bit = [], 0
    for stage in assets:
        present.append(tuple(asset for offset, asset in enumerate(stage) if coalition >> bit + offset & 1))
        bit += len(stage)
    return tuple(present)
