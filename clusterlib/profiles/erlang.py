"""What a profile says about nodes of Erlang's virtual machine (driver beam)."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlib.profiles.settings import setting, text, texts

__all__ = ["Beam"]


@dataclass(frozen=True, slots=True)
class Beam:
    """What a node of driver `beam` runs."""

    program: str = setting(
        "erl", text(), "What starts a node: `erl`, by its name on PATH or its path relative to the project."
    )
    applications: tuple[str, ...] = setting(
        (),
        texts(),
        "Applications started in each node once all nodes see each other, with all that they need.",
    )
    path: tuple[str, ...] = setting(
        (),
        texts(),
        "Folders of compiled modules, relative to the project: on the node's code path, and in the code fingerprint.",
    )
