"""Completion for bash, zsh and fish: the shell asks the program which words fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from clusterlib.doors.commands import COMMANDS
from clusterlib.doors.commands.declaring import Command
from clusterlib.doors.commands.options import Option
from clusterlib.doors.program.parsing import HELP, find_command, groups
from clusterlib.doors.program.wording import ASK, PROGRAM, words_of
from clusterlib.errors import ClusterError

__all__ = ["SHELLS", "candidates"]

SHELLS = {
    "bash": f"""\
# In ~/.bashrc: eval "$({PROGRAM} completion bash)"
_{PROGRAM}() {{
    local IFS=$'\\n'
    COMPREPLY=($({PROGRAM} {ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
}}
complete -o default -F _{PROGRAM} {PROGRAM}
""",
    "zsh": f"""\
# In ~/.zshrc, after compinit: eval "$({PROGRAM} completion zsh)"
_{PROGRAM}() {{
    local -a found
    found=("${{(@f)$({PROGRAM} {ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}}
compdef _{PROGRAM} {PROGRAM}
""",
    "fish": f"""\
# In ~/.config/fish/config.fish: {PROGRAM} completion fish | source
complete -c {PROGRAM} -a '({PROGRAM} {ASK} (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}


def candidates(words: Sequence[str]) -> list[str]:
    """What the last of these words, which may be empty, could become. Nothing: the names of files."""
    *before, begun = words or [""]
    if "--" in before:
        return []
    return sorted({word for word in _known(before, begun) if word.startswith(begun)})


def _known(before: Sequence[str], begun: str) -> Iterable[str]:
    if not before:
        return [*(words_of(one)[0] for one in COMMANDS), "completion", *HELP, "--version"]
    if before[0] == "completion":
        return SHELLS
    if list(before) in [[group] for group in groups()]:
        return [one.name for one in COMMANDS if one.group == before[0]]
    try:
        command, given = find_command(before)
    except ClusterError:
        return []
    return _of(command, given, begun)


def _of(command: Command, given: Sequence[str], begun: str) -> Iterable[str]:
    waiting = next(
        (one for one in command.options if one.takes_value and given and given[-1] in one.flags), None
    )
    if waiting is not None:
        return _values(command, waiting, given)
    flag, is_value, _ = begun.partition("=")
    if is_value:
        option = next((one for one in command.options if flag in one.flags), None)
        return [f"{flag}={value}" for value in _values(command, option, given)] if option else []
    if begun.startswith("-"):
        return [*(flag for option in command.options for flag in option.flags), *HELP]
    bare = next((one for one in command.options if one.word), None)
    return _values(command, bare, given) if bare is not None else []


def _values(command: Command, option: Option | None, given: Sequence[str]) -> Iterable[str]:
    """What the project knows of that name; a mistake in the project completes nothing."""
    if option is None:
        return []
    known: dict[str, Callable[[], Iterable[str]]] = {
        "profile": _profiles,
        "name": _profiles if command.group == "profile" else _clusters,
        "node": lambda: _nodes(_after(given, "--name")),
    }
    with contextlib.suppress(ClusterError, OSError):
        return list(known.get(option.name, list)())
    return []


def _after(given: Sequence[str], flag: str) -> str | None:
    for before, word in pairwise(["", *given]):
        if before == flag:
            return word
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def _profiles() -> Iterable[str]:
    from clusterlib.operations.profiles import list_all

    return [one.name for one in list_all().profiles]


def _clusters() -> Iterable[str]:
    from clusterlib.client.start import project_folder
    from clusterlib.rundir.folders import all_names

    return all_names(project_folder(None))


def _nodes(name: str | None) -> Iterable[str]:
    """Those of the last run: to ask the cluster would take longer, and they are the same while it runs."""
    from clusterlib.client.start import cluster_name, project_folder
    from clusterlib.rundir.folders import latest_run

    run = latest_run(project_folder(None), cluster_name(name))
    return run.node_names() if run is not None else []
