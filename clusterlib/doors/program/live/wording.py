"""How the live prompt calls operations."""

from __future__ import annotations

import os

from clusterlib.doors.program.wording import ProgramWording
from clusterlib.remedies import DEFAULT_CLUSTER, OperationCall

__all__ = ["OWN_WORDS", "LiveWording"]

OWN_WORDS = ("use", "node", "help", "exit", "quit")
"""What only the live prompt has; all else is an operation."""


class LiveWording(ProgramWording):
    """`restart node2`: without the program, and without the cluster that is chosen."""

    def __init__(self) -> None:
        super().__init__("")

    def command(self, call: OperationCall) -> str:
        chosen = os.environ.get("CLUSTERLIB_NAME", DEFAULT_CLUSTER)
        options = {name: one for name, one in call.options.items() if (name, one) != ("name", chosen)}
        return super().command(OperationCall(call.operation, call.words, options, call.rest))
