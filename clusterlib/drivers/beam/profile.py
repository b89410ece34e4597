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
        "The command that compiles the project, run in its folder with the `[environment]` before its code is used.",
    )
    sources: tuple[str, ...] = setting(
        (),
        texts(),
        "Files and folders that `build` reads: while none of them has changed it is not run again. None: it always is.",
    )
    rebuild: tuple[str, ...] = setting(
        (),
        texts(),
        "The command that compiles all of it anew, in place of `build` where a source has changed in the second of the last "
        "build, or has an older time: tools that go by times do not see that.",
    )
    path: tuple[str, ...] = setting(
        (),
        texts(),
        "Folders of compiled modules, relative to the project; may hold * and ?. On the node's code path, the first ones "
        "first, and in the code fingerprint.",
    )
    mix: bool = setting(
        False,
        flag(),
        "A Mix project: Elixir's own libraries are on the code path, and the applications of its mix.exs are started.",
    )
    applications: tuple[str, ...] = setting(
        (),
        texts(),
        "Applications started in each node once all nodes see each other, with all that they need.",
    )
    config: tuple[str, ...] = setting(
        (),
        texts(),
        "Elixir's files of configuration, read in each node in this order before its applications start. Those that exist.",
    )
