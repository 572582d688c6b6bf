"""The errors of AME.

AmeError
├── InputError         the caller's mistake: says what was expected, what came and where
│   ├── FileError      in a file: names file, line and field
│   └── SignalError    the measurements say nothing that money could follow
├── ChainError         the chain refused, is away, or is another one
├── CannotTell         evidence is missing: neither true nor false
└── InternalError      our own bug
"""

from __future__ import annotations


class AmeError(Exception):
    """Root of everything that AME raises on purpose."""


class InputError(AmeError, ValueError):
    """The caller's mistake."""


class FileError(InputError):
    """A mistake in a file; the message starts with `file:line: field:` as far as they are known."""

    def __init__(
        self, message: str, *, file: object, line: int | None = None, field: str | None = None
    ) -> None:
        self.file, self.line, self.field = str(file), line, field
        where = self.file if line is None else f"{self.file}:{line}"
        super().__init__(f"{where}: {field}: {message}" if field else f"{where}: {message}")


class SignalError(InputError):
    """Shares of nothing are noise: the values are too small, or none is positive."""


class ChainError(AmeError):
    """The chain refused, cannot be reached, or is not the expected one."""


class CannotTell(AmeError):  # noqa: N818 - a verdict, not a fault
    """Data is missing, so that nothing can be called true or false."""


class InternalError(AmeError):
    """A bug of AME: an invariant that its own code must keep does not hold."""
