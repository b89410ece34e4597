"""The tables of a profile for nodes of Erlang's virtual machine (driver beam)."""

from __future__ import annotations

from clusterlib.frozen import frozen
from clusterlib.values.fields import flag, setting, text, texts

__all__ = ["Beam"]


@frozen
class Beam:
    """What a node of driver `beam` runs."""

    program: str = setting(
        "erl", text(), "What starts a node: `erl`, by its name on PATH or its path relative to the project."
    )
    build: tuple[str, ...] = setting(
        (),
        texts(),
        "The command that compiles the project, run in its folder with the `[environment]` before "
        "its code is used.",
    )
    sources: tuple[str, ...] = setting(
        (),
        texts(),
        "Files and folders that `build` reads: it is run again only if one of them has changed. "
        "Empty: it is always run.",
    )
    rebuild: tuple[str, ...] = setting(
        (),
        texts(),
        "The command that compiles everything again. It replaces `build` if a source has changed "
        "in the second of the last build, or has an older time: tools that compare times miss "
        "this.",
    )
    path: tuple[str, ...] = setting(
        (),
        texts(),
        "Folders of compiled modules, relative to the project; may contain * and ?. They are on "
        "the node's code path, in this order, and part of the code fingerprint.",
    )
    mix: bool = setting(
        False,
        flag(),
        "A Mix project: Elixir's own libraries are on the code path, and the applications of its "
        "mix.exs are started.",
    )
    applications: tuple[str, ...] = setting(
        (),
        texts(),
        "Applications started in each node once all nodes see each other, with their dependencies.",
    )
    config: tuple[str, ...] = setting(
        (),
        texts(),
        "Elixir's configuration files, read in each node in this order before its applications "
        "start. Missing ones are skipped.",
    )
