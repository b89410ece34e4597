"""Completion for bash, zsh and fish: the shell asks the program which words fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.program.parsing import HELP, find_command, groups
from clusterlib.doors.program.wording import ASK, MAIN_GROUP, PROGRAM, words_of
from clusterlib.errors import ClusterError
from clusterlib.operations.listing import ListedParameter

__all__ = ["SHELLS", "candidates", "clusters", "nodes"]

SHELLS = {
    "bash": f"""\
# In ~/.bashrc: eval "$({PROGRAM} completion bash)"
_{PROGRAM}() {{
    local IFS=$'\\n'
    COMPREPLY=($("$1" {ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
}}
complete -o default -F _{PROGRAM} {PROGRAM}
""",
    "zsh": f"""\
# In ~/.zshrc, after compinit: eval "$({PROGRAM} completion zsh)"
_{PROGRAM}() {{
    local -a found
    found=("${{(@f)$("$words[1]" {ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}}
compdef _{PROGRAM} {PROGRAM}
""",
    "fish": f"""\
# In ~/.config/fish/config.fish: {PROGRAM} completion fish | source
function __{PROGRAM}_complete
    set -l words (commandline -opc)
    $words[1] {ASK} $words[2..] (commandline -ct) 2>/dev/null
end
complete -c {PROGRAM} -a '(__{PROGRAM}_complete)'
""",
}


OF_PROGRAM = (MAIN_GROUP, "completion", "mcp", *HELP, "--version")
"""The first words that are no commands."""


def candidates(words: Sequence[str], besides: Iterable[str] = OF_PROGRAM) -> list[str]:
    """What the last of these words, which may be empty, can become. Nothing means file names.

    `besides`: the first words that are no commands."""
    joined = _joined(words or [""])
    *before, begun = joined
    if "--" in before:
        return []
    found = {word for word in _known(before, begun, besides) if word.startswith(begun)}
    if len(joined) < len(words) and "=" in begun and words[-2:-1] != [begun]:
        found = {word.partition("=")[2] for word in found}  # bash replaces what comes after the sign
    return sorted(found)


def _joined(words: Sequence[str]) -> list[str]:
    """Bash splits `--profile=dev` into three words."""
    joined: list[str] = []
    for word in words:
        after_flag = bool(joined) and joined[-1].startswith("--")
        if after_flag and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _known(before: Sequence[str], begun: str, besides: Iterable[str]) -> Iterable[str]:
    if not before:
        return [*(words_of(one)[0] for one in commands()), *besides]
    if before[0] == "mcp":
        from clusterlib.doors.mcp.allowing import ALLOW, ALLOWABLE

        return ALLOWABLE if before[-1] == ALLOW else [ALLOW, *HELP]
    if before[0] == "completion":
        return SHELLS if len(before) == 1 else []
    if list(before) in [[group] for group in (MAIN_GROUP, *groups())]:
        return [one.name for one in commands() if before[0] in {one.operation.group, *words_of(one)[:-1]}]
    try:
        command, given = find_command(before)
    except ClusterError:
        return []
    return _of(command, given, begun)


def _of(command: Command, given: Sequence[str], begun: str) -> Iterable[str]:
    flags = {flag: option for option in command.options if option.takes_value for flag in option.flags}
    if given and given[-1] in flags:
        return _values(flags[given[-1]], given)
    flag, is_value, _ = begun.partition("=")
    if is_value and flag in flags:
        return [f"{flag}={value}" for value in _values(flags[flag], given)]
    if begun.startswith("-"):
        return [*(flag for option in command.options for flag in option.flags), *HELP]
    bare = [option for option in command.options if option.word]
    taken = sum(not word.startswith("-") and before not in flags for before, word in pairwise(["", *given]))
    return _values(bare[taken], given) if taken < len(bare) else []


def _values(option: ListedParameter, given: Sequence[str]) -> Iterable[str]:
    """What fits there. If the project has a mistake, nothing is completed."""
    known: dict[str, Callable[[], Iterable[str]]] = {
        "profiles": _profiles,
        "clusters": clusters,
        "nodes": lambda: nodes(_after(given, "--name")),
        "processes": lambda: _processes(_after(given, "--name")),
        "": lambda: option.choices,
    }
    with contextlib.suppress(ClusterError, OSError):
        return list(known[option.completes]())
    return []


def _after(given: Sequence[str], flag: str) -> str | None:
    for before, word in pairwise(["", *given]):
        if before == flag:
            return word
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None


def _processes(cluster: str | None) -> Iterable[str]:
    """The registered names; only a running cluster has any."""
    from clusterlib.operations.processes import names

    return [one.name for one in names(name=cluster).names]


def _profiles() -> Iterable[str]:
    from clusterlib.operations.profiles import list_all

    return [one.name for one in list_all().profiles]


def clusters() -> Iterable[str]:
    from clusterlib.client.start import project_folder
    from clusterlib.rundir.folders import all_names

    return all_names(project_folder(None))


def nodes(name: str | None) -> Iterable[str]:
    """The nodes as the keeper has saved them, because asking it would take longer."""
    from clusterlib.client.start import cluster_name, project_folder
    from clusterlib.rundir.folders import latest_run

    run = latest_run(project_folder(None), cluster_name(name))
    if run is None:
        return []
    state = run.read_state()  # None: it is not written yet
    return [node.name for node in state.nodes] if state is not None and state.nodes else run.node_names()
