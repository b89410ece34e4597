"""The settings of a server program (driver command): what runs, when it is ready, and how it forms
a cluster.

Texts may contain Jinja, with the names that templates have: `{{ node.ports.client }}`."""

from __future__ import annotations

from collections.abc import Mapping

from clusterlib.frozen import frozen
from clusterlib.values.choices import FormingOrder
from clusterlib.values.fields import choice_of, flag, number, optional, setting, text, texts, texts_of, whole
from clusterlib.values.kinds import (
    check_identifier,
    check_pattern,
    check_signal,
    check_url,
)

__all__ = [
    "SECTIONS",
    "CommandSettings",
    "Form",
    "Formed",
    "HealthSettings",
    "QuestionSettings",
    "ReadySettings",
    "RepeatedQuestionSettings",
]

LONGEST_QUESTION = 600.0


@frozen
class CommandSettings:
    """What a node of driver `command` runs, in its own folder. Some texts may contain Jinja."""

    program: str = setting(
        "", text(), "The program: a name on PATH, or a path relative to the project. Never a shell line."
    )
    arguments: tuple[str, ...] = setting(
        (), texts(), "Its arguments. One that renders to an empty text is left out."
    )
    server: str = setting(
        "",
        text(),
        "Which server it is, for the operations that serve only some (`clusterlib operations`). "
        "Empty: the file name of the program.",
    )
    search: tuple[str, ...] = setting(
        (),
        texts(),
        "Folders searched before PATH; may contain * and ?: of several versions the highest is used.",
    )
    order: FormingOrder = setting(
        FormingOrder.TOGETHER,
        choice_of(FormingOrder),
        "together: all nodes start at once; seed first: the others start when the first one answers.",
    )
    prepare: tuple[str, ...] = setting(
        (),
        texts(),
        "A command run in the node's folder before its first start; none if its first word "
        "renders to an empty text.",
    )
    user: str | None = setting(
        None,
        optional(text(check_identifier)),
        "The user that runs it if clusterlib runs as root, for a server that refuses root. It "
        "keeps access to the node's folder.",
    )
    stop: str = setting("SIGTERM", text(check_signal), "The signal that asks it to end in order.")
    stop_all: str | None = setting(
        None,
        optional(text(check_signal)),
        "The signal instead if all nodes end at once, for servers that would hand over to others "
        "that are ending, too.",
    )
    stop_command: tuple[str, ...] = setting(
        (), texts(), "A command that asks it to end in order, in place of the signal."
    )
    fixed: str = setting(
        "",
        text(),
        "Why nodes cannot be added or removed while it runs, for the error of cluster.scale. "
        "Empty: they can.",
    )
    crash: tuple[str, ...] = setting(
        (),
        texts_of(text(check_pattern)),
        "Regular expressions. A line of output that matches one ends a start, and is a finding of "
        "cluster.health.",
    )
    logs: tuple[str, ...] = setting(
        (),
        texts(),
        "Log files that it writes itself, in its folder; may contain *. Their tails are evidence, too.",
    )
    shared: tuple[str, ...] = setting(
        (),
        texts(),
        "Names of programs that a node starts for all nodes, such as epmd. They do not end with "
        "it, but with the cluster.",
    )
    shell: tuple[str, ...] = setting((), texts(), "The command that cluster.shell runs.")
    execute: tuple[str, ...] = setting(
        (),
        texts(),
        "For cluster.shell -c CODE: arguments before the code, such as -c. Empty: the words of "
        "the code are appended.",
    )


@frozen
class QuestionSettings:
    """One question to a node. Every condition in it must be met."""

    ports: tuple[str, ...] = setting((), texts(), "Ports, by name, that accept connections.")
    log: str = setting("", text(check_pattern), "A regular expression found in a line it has printed.")
    http: str = setting("", text(check_url), "A URL to request.")
    post: str = setting("", text(), "A body to POST to that URL; empty: GET.")
    status: int = setting(200, whole(100, 599), "The HTTP status of a good answer.")
    send: str = setting("", text(), 'Text sent to a port, such as "PING\\r\\n".')
    to: str = setting("", text(), "The port, by name, that `send` goes to; empty: the first of [ports].")
    command: tuple[str, ...] = setting((), texts(), "A command that must end with exit code 0.")
    answer: str = setting(
        "",
        text(check_pattern),
        "A regular expression found in the reply, the body, or what the command prints.",
    )
    means: str = setting(
        "",
        text(),
        'What a good answer means, in plain words: "it knows all nodes". Shown in place of the expression if it fails.',
    )
    limit: float = setting(
        5.0,
        number(above=0, most=LONGEST_QUESTION),
        "Seconds after which a missing answer counts as a failure.",
    )


@frozen
class RepeatedQuestionSettings(QuestionSettings):
    """A question that is repeated while a node starts."""

    interval: float = setting(
        0.0,
        number(least=0, most=LONGEST_QUESTION),
        "Seconds between two questions at its start. 0: milliseconds at first, then 5 % of the "
        "time so far, at most 0.1.",
    )


@frozen
class ReadySettings(RepeatedQuestionSettings):
    """When a `command` node answers by itself. Default: all its ports accept connections."""

    owned: bool = setting(
        True,
        flag(),
        "The listener on its ports must be a process of the node. false: for a container engine "
        "that listens in its place.",
    )


@frozen
class Form:
    """How nodes form one cluster after all of them answer."""

    command: tuple[str, ...] = setting(
        (), texts(), "Run once, in the folder of the first node, when all nodes answer for the first time."
    )


@frozen
class Formed(RepeatedQuestionSettings):
    """When every node has found the others. `alive` lists the nodes that it should see."""


@frozen
class HealthSettings(QuestionSettings):
    """Conditions besides `[ready]` and `[formed]`, for a ready node and for cluster.health."""


SECTIONS: Mapping[str, type] = {
    "command": CommandSettings,
    "ready": ReadySettings,
    "form": Form,
    "formed": Formed,
    "health": HealthSettings,
}
