"""How a door calls the operations that remedies, notes and results name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from clusterlib.remedies import OperationCall, Remedy, invoked

if TYPE_CHECKING:
    from clusterlib.operations.listing import ListedOperation

__all__ = ["HelpWording", "Wording"]


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


class HelpWording:
    """Rewords the help of operations and parameters, which names operations as `cluster.up`.

    It is written as docstrings and annotations, so an operation in it is no data. Only names of
    operations that exist are replaced."""

    def __init__(self, operations: Iterable[ListedOperation], wording: Wording) -> None:
        names = "|".join(re.escape(one.full_name) for one in operations)
        self._named = re.compile(rf"(?<![\w./-])({names})\b(?![./\w-])")
        self._wording = wording

    def __call__(self, text: str) -> str:
        return self._named.sub(lambda found: self._wording.name(found[1]), text)
