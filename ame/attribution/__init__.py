"""Attribution: how much did each contribution add? Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "DuplicateSearch": "duplicates",
    "Examples": "scores",
    "Gradients": "scores",
    "PipelineGame": "game",
    "Policies": "policies",
    "StagedPipeline": "game",
    "TableGame": "coalitions",
    "banzhaf": "exact",
    "by_provider": "knn",
    "estimate": "sampling",
    "find_duplicates": "duplicates",
    "gradient_influence": "influence",
    "hierarchical_values": "hierarchical",
    "knn_shapley": "knn",
    "leave_one_out": "exact",
    "measure": "measure",
    "process_pool": "workers",
    "read_usage": "usage",
    "seed_from_block": "sampling",
    "shapley": "exact",
    "shapley_numerators": "exact",
    "traced_influence": "influence",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
