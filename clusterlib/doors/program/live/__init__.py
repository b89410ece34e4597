"""The live prompt: operations of the program without its name, with a cluster and a node that are
remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.live import LivePrompt

__all__ = ["CONVERSATIONS"]


def _converse(console: Console, live: LivePrompt) -> int:
    """Opens the prompt, and returns the exit code of its end."""
    from clusterlib.doors.program.live.talking import converse  # no other command needs it

    return converse(console, live)


CONVERSATIONS = {"clusterlib.operations.live.LivePrompt": _converse}
"""For the doors that open the prompt."""
