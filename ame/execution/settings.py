"""The file that `ame settle` reads: which pipelines, whose rights, which pool."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ame.errors import FileError
from ame.mapping import strict_yaml

FIELDS = {"format", "pipelines", "rights", "pool", "cache"}
OPTIONAL = {"cache"}
FORMAT = "ame-settle/1"


@dataclass(frozen=True)
class Settings:
    """Paths are relative to the file; `pool` is an address or the name that `ame pool create` remembered."""

    pipelines: Mapping[str, Any]
    rights: Path
    pool: str
    cache: Path | None


def read_settings(path: Path) -> Settings:
    """Read and check it. Raises FileError that names file, line and field."""
    text = strict_yaml.read_file(path)
    document = strict_yaml.parse_yaml(text, path)

    def refuse(field: str, message: str) -> FileError:
        return FileError(message, file=path, line=strict_yaml.line_of(text, (field,)), field=field)

    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise refuse("format", f"expected format: {FORMAT}")
    for field in document:
        if field not in FIELDS:
            raise refuse(str(field), f"expected only {', '.join(sorted(FIELDS))}")
    for field in sorted(FIELDS - OPTIONAL | OPTIONAL & set(document)):
        if not isinstance(document.get(field), str):
            raise refuse(field, f"expected text, got {document.get(field)!r}")
    rights = path.parent / document["rights"]
    if not rights.is_file():
        raise refuse("rights", f"no such file: {rights}")
    try:
        pipelines = importlib.import_module(document["pipelines"]).PIPELINES
    except (ImportError, AttributeError) as error:
        message = f"expected a module with PIPELINES, got {document['pipelines']!r}: {error}"
        raise refuse("pipelines", message) from error
    cache = path.parent / document["cache"] if "cache" in document else None
    return Settings(pipelines, rights, document["pool"], cache)
