"""The file that `ame settle` reads: which pipelines, whose rights, which pool."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ame.errors import FileError

FIELDS = {"format", "pipelines", "rights", "pool", "cache"}
FORMAT = "ame-settle/1"


@dataclass(frozen=True)
class Settings:
    """Paths are relative to the file; `pool` is an address or the name that `ame pool create` remembered."""

    pipelines: Mapping[str, Any]
    rights: Path
    pool: str
    cache: Path | None


def read_settings(path: Path) -> Settings:
    """Read and check it. Raises FileError that names file and field."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"not YAML: {error}", file=path) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileError(f"expected format: {FORMAT}", file=path, field="format")
    unknown = sorted(set(document) - FIELDS)
    if unknown:
        raise FileError(f"expected only {sorted(FIELDS)}, got {unknown}", file=path)
    for field in ("pipelines", "rights", "pool"):
        if not isinstance(document.get(field), str):
            raise FileError(f"expected text, got {document.get(field)!r}", file=path, field=field)
    rights = path.parent / document["rights"]
    if not rights.is_file():
        raise FileError(f"no such file: {rights}", file=path, field="rights")
    try:
        pipelines = importlib.import_module(document["pipelines"]).PIPELINES
    except (ImportError, AttributeError) as error:
        raise FileError(
            f"expected a module with PIPELINES, got {document['pipelines']!r}: {error}",
            file=path,
            field="pipelines",
        ) from error
    cache = path.parent / document["cache"] if "cache" in document else None
    return Settings(pipelines, rights, document["pool"], cache)
