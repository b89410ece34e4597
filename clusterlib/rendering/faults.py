"""What keeps a template from becoming a text, as one value that can be passed on."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["Fault", "Faulty"]


@frozen
class Fault:
    """What is wrong, what would be right, and where it stands."""

    problem: str
    right: str
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or ""


class Faulty(Exception):
    """Carries a fault to where it is shown."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault
