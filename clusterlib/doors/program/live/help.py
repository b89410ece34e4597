"""What `help` prints at the live prompt."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from clusterlib.doors.program.help import columns, listed, listed_troubles, usage
from clusterlib.doors.program.live.wording import LiveWording
from clusterlib.doors.program.parsing import find_command, groups
from clusterlib.doors.program.wording import ProgramHelp

__all__ = ["chapter"]

WIDTH = 100
HIDDEN = frozenset({"cluster.live"})
OWN = {
    "use NAME": "Choose the cluster that operations are about if none is named.",
    "node [NAME]": "Choose the node that operations are about if none is named; without a name, none.",
    "help [COMMAND]": "Show this, or how a command is called.",
    "exit": "Leave, as Ctrl-D does.",
}
ANSWERS = {
    "COMMAND --json": "Answer with JSON.",
    "COMMAND > FILE": "Write the answer to a file, as JSON; >> appends.",
    "COMMAND | PROGRAM": "Give the answer to a program, as JSON.",
    "COMMAND; COMMAND": "One after the other, up to the first that fails.",
}


def chapter(words: Sequence[str], width: int) -> str:
    """Of a command, of a group, of one of the prompt's own words, or of everything. Raises
    UsageError."""
    width = min(width, WIDTH)
    wording = ProgramHelp(LiveWording())
    own = [called for called in OWN if words and called.split()[0] == words[0]]
    if own:
        return "\n".join([f"usage: {own[0]}", "", *textwrap.wrap(OWN[own[0]], width)])
    if len(words) == 1 and words[0] in groups():
        return "\n".join(listed(width, wording, only=words[0])).rstrip()
    if words:
        return usage(find_command(words, wording.names)[0], width, wording)
    return "\n".join(
        [
            *listed(width, wording, without=HIDDEN),
            *listed_troubles(width),
            "At this prompt:",
            *columns(list(OWN.items()), width),
            "",
            "Answers:",
            *columns(list(ANSWERS.items()), width),
        ]
    )
