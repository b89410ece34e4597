"""How a door calls the operations that remedies, notes and results name."""

from __future__ import annotations

from clusterlib.remedies import OperationCall, Remedy, invoked

__all__ = ["Wording"]


class Wording:
    """As Invoke and pytest do."""

    def __call__(self, text: str) -> str:
        """The text with the operations in it as they are called here."""
        return text.worded(self.command) if isinstance(text, Remedy) else text

    def command(self, call: OperationCall) -> str:
        """What a user types."""
        return invoked(call)

    def name(self, operation: str) -> str:
        """What prose calls it."""
        return operation
