"""What holds for all tests: Ape's state stays in the project."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# As the Makefile exports them, for whoever runs pytest directly.
os.environ.setdefault("APE_DATA_FOLDER", str(ROOT / ".ape"))
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".cache" / "solcx"))
