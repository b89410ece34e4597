"""The reason why a template cannot be rendered, as a value."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["Faulty", "TemplateFault"]


@frozen
class TemplateFault:
    """What is wrong, a correction, and the place."""

    problem: str
    right: str
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or ""


class Faulty(Exception):
    """Carries a fault as an exception."""

    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.problem)
        self.fault = fault
