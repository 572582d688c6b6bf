"""What a process of a test has taken of memory."""

import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Bytes. Of this program alone: `ru_maxrss` also counts, on Linux, what the process held that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
