"""The parameters of operations, each with its kind and its help, which are the same wherever it
appears.

A signature names them as annotations: `def scale(cluster: Cluster, count: Count) -> Scaled`. An
author declares others as `Annotated[int, Between(1, 100), Help("How many.")]`. `read_annotation`
finds them in a source that is not imported."""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen, replace
from clusterlib.operations.help_texts import STREAM, WHICH_CLUSTER
from clusterlib.values.fields import (
    Between,
    Kind,
    Misfit,
    choice,
    flag,
    number,
    optional,
    parsed,
    text,
    texts,
    whole,
)
from clusterlib.values.kinds import Wrong, parse_memory, parse_ports
from clusterlib.values.ports import PortRange

__all__ = [
    "MISSING",
    "ArtifactFolder",
    "Borrow",
    "ClusterName",
    "Completes",
    "Count",
    "Every",
    "Expression",
    "Follow",
    "Fresh",
    "Grep",
    "Help",
    "Lines",
    "Memory",
    "NodeCount",
    "NodeName",
    "OnNode",
    "Parameter",
    "PictureFile",
    "Ports",
    "ProcessName",
    "ProfileName",
    "Refused",
    "ReportOf",
    "Resolved",
    "RoleName",
    "Rolling",
    "SampleRate",
    "SampleSeconds",
    "Seconds",
    "Secret",
    "Short",
    "ShownProfile",
    "Simulate",
    "Since",
    "Timeout",
    "UnreadableAnnotation",
    "Verbose",
    "check_accepted",
    "parameter_of",
    "read_annotation",
]

MISSING = object()
"""The default of a parameter without one."""
MOST = 1_000_000_000
LARGEST = 2**53
"""The largest integer that every reader of JSON keeps exact."""


@frozen
class Help:
    """The meaning of a parameter, in a sentence."""

    text: str


@frozen
class Short:
    """The letter of an option: `-p` of `--profile`."""

    letter: str


@frozen
class Completes:
    """What completes the value in a shell."""

    what: Literal["profiles", "clusters", "nodes", "processes"]


@frozen
class Secret:
    """Keeps the value out of the event log of the cluster."""


@frozen
class Refused:
    """A value that is not accepted, or not there."""

    called: str
    problem: str = ""
    """Empty if it is missing."""
    right: str = ""

    def __str__(self) -> str:
        return f"{self.called}: {self.problem}" if self.problem else f"{self.called} is missing"


@frozen
class Parameter:
    """One parameter of an operation."""

    name: str
    kind: Kind
    help: str = ""
    default: object = MISSING
    short: str = ""
    word: bool = False
    """Whether it may also be given as a bare word: `restart node2`. This holds for parameters
    before the `*` of a signature."""
    secret: bool = False
    completes: str = ""

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def read(self, value: object, called: str, refused: list[Refused]) -> object:
        """The value, converted if it is a text. A mistake is added to the list."""
        said = self.kind.from_text(value) if isinstance(value, str) else value
        return self.check(said, refused, called)

    def check(self, value: object, refused: list[Refused], called: str = "") -> object:
        """Checks a value that already has its type."""
        misfits: list[Misfit] = []
        read = self.kind.read(value, (), misfits)
        called = called or self.name
        refused += (Refused(called, one.problem, one.as_text or one.right or "") for one in misfits)
        return read


def check_accepted(refused: Sequence[Refused]) -> None:
    if len(refused) == 1:
        raise UsageError(str(refused[0]), cause=refused[0].right or None)
    if refused:
        lines = [f"{one}; {one.right}" if one.right else str(one) for one in refused]
        raise UsageError(f"{len(refused)} values cannot be used", evidence=lines)


class UnreadableAnnotation(ValueError):
    """An annotation without a kind of value."""


def _text(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("is empty" if isinstance(value, str) else "must be text", "write a word")
    return value


NAME = parsed(_text, type="string")
WHOLE = whole(1, MOST)
_SECONDS = number(above=0, most=float(MOST))
SECONDS = replace(_SECONDS, json={**_SECONDS.json, "format": "seconds"})
FOLLOW = replace(flag(), json={**flag().json, "format": STREAM})

NodeName = Annotated[str, NAME, Completes("nodes"), Help("Name of the node.")]
ClusterName = Annotated[
    str,
    NAME,
    Completes("clusters"),
    Help(WHICH_CLUSTER),
]
ProfileName = Annotated[
    str,
    NAME,
    Short("p"),
    Completes("profiles"),
    Help("Profile to use (see profile.list). Default: $CLUSTERLIB_PROFILE, else dev."),
]
ShownProfile = Annotated[str, NAME, Completes("profiles"), Help("Name of the profile.")]
OnNode = Annotated[str, NAME, Completes("nodes"), Help("Look for the process on this node only.")]
ProcessName = Annotated[
    str,
    NAME,
    Completes("processes"),
    Help("Id or registered name of the process, whichever node it is on."),
]
NodeCount = Annotated[int, WHOLE, Short("n"), Help("Number of nodes, instead of the profile's.")]
Count = Annotated[int, WHOLE, Help("Number of nodes.")]
RoleName = Annotated[
    str, NAME, Help("Role whose nodes are meant; it must be named if the cluster has several.")
]
Simulate = Annotated[bool, Help("All nodes in one process, over in-memory transports.")]
Every = Annotated[bool, Help("Every cluster of this project.")]
Timeout = Annotated[
    float, SECONDS, Short("t"), Help("Seconds after which the run is ended, with exit code 124.")
]
Verbose = Annotated[bool, Short("v"), Help("Say more: every step, and what went on in the nodes.")]
Rolling = Annotated[bool, Help("One node after the other, each only when the cluster is whole again.")]
Fresh = Annotated[bool, Help("Delete the data in the nodes' folders: each starts as if for the first time.")]
Follow = Annotated[bool, FOLLOW, Short("f"), Help("Go on as more comes, until the cluster ends or Ctrl-C.")]
Since = Annotated[
    str,
    NAME,
    Help("Only from then on: 30s, 5m, 2h, 1d ago, or a time such as 2026-01-31T12:00:00Z."),
]
Grep = Annotated[str, NAME, Help("Only lines in which this regular expression is found.")]
Lines = Annotated[int, WHOLE, Help("Show the last N lines.")]
Expression = Annotated[str, NAME, Short("c"), Help("Evaluate this in the node instead of prompting.")]
Borrow = Annotated[bool, Help("Use only a cluster that runs already; never start one.")]
ArtifactFolder = Annotated[
    str, NAME, Help("Folder for the report of this run, with JUnit, logs and configurations.")
]
ReportOf = Annotated[str, NAME, Help("Folder of artifacts. Default: the latest.")]
SampleSeconds = Annotated[float, Between(0.1, 300), Help("How long samples are taken.")]
SampleRate = Annotated[int, Between(1, 1000), Help("Samples a second.")]
PictureFile = Annotated[str, NAME, Short("o"), Help("The SVG to write. Default: NODE.flame.svg.")]
Resolved = Annotated[bool, Help("As it holds here and now: environment applied, adapted to this machine.")]
Seconds = Annotated[float, SECONDS]
Memory = Annotated[int, parsed(parse_memory, type=["string", "integer"])]
Ports = Annotated[PortRange, parsed(parse_ports, type=["string", "integer"])]


def parameter_of(name: str, annotation: object, default: object = MISSING, *, word: bool) -> Parameter:
    """Raises UnreadableAnnotation for one that has no kind."""
    notes: list[object] = []
    may_be_none = False
    while True:
        origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is Annotated:
            annotation, notes = inner[0], [*notes, *inner[1:]]
        elif origin in (typing.Union, types.UnionType) and len(inner) == 2 and type(None) in inner:
            may_be_none = True
            annotation = next(one for one in inner if one is not type(None))
        else:
            break
    kind = _kind(annotation, notes)
    _check_default(name, kind, default)
    said = {type(note): note for note in notes}
    help_, short, completes = (said.get(one) for one in (Help, Short, Completes))
    return Parameter(
        name=name,
        kind=optional(kind) if may_be_none else kind,
        help=help_.text if isinstance(help_, Help) else "",
        default=default,
        short=short.letter if isinstance(short, Short) else "",
        word=word,
        secret=Secret in said or any(note is Secret for note in notes),
        completes=completes.what if isinstance(completes, Completes) else "",
    )


def _check_default(name: str, kind: Kind, default: object) -> None:
    if default is MISSING and kind.json.get("type") == "boolean":
        raise UnreadableAnnotation(f"{name} is a flag, and needs a default")
    misfits: list[Misfit] = []
    if default is not MISSING and default is not None:
        kind.read(default, (), misfits)
    if misfits:
        raise UnreadableAnnotation(f"the default of {name} {misfits[0].problem}")


def _kind(annotation: object, notes: list[object]) -> Kind:
    """The last one counts: bounds that are added to a kind replace its own."""
    said = next((note for note in reversed(notes) if isinstance(note, Kind | Between)), None)
    if isinstance(said, Kind):
        return said
    between = said
    if typing.get_origin(annotation) is Literal:
        known = typing.get_args(annotation)
        if not all(isinstance(one, str) for one in known):
            raise UnreadableAnnotation("a Literal must be of texts")
        return choice(*known)
    if annotation is int:
        return between.whole() if between else whole(-LARGEST, LARGEST)
    if annotation is float:
        return between.number() if between else number(least=-LARGEST, most=LARGEST)
    if annotation in PLAIN:
        return PLAIN[annotation]
    raise UnreadableAnnotation(
        f"{getattr(annotation, '__name__', annotation)} is not a kind of parameter: "
        "use str, int, float, bool, Literal, tuple[str, ...], or one of clusterlib.operations"
    )


PLAIN: Mapping[Any, Kind] = {str: text(), bool: flag(), tuple[str, ...]: texts()}
KNOWN: Mapping[str, object] = {
    **{name: value for name, value in globals().items() if name in __all__ and name != "MISSING"},
    **{one.__name__: one for one in (str, int, float, bool, tuple, Between)},
    "Annotated": Annotated,
    "Literal": Literal,
    "Optional": typing.Optional,
    "None": None,
}
"""The parts of annotations, by their names in a source."""


def read_annotation(node: ast.expr, aliases: Mapping[str, ast.expr]) -> Any:  # noqa: PLR0911 - one a kind
    """The meaning of an annotation, without running its source.

    `aliases` are the assignments of its module. Raises UnreadableAnnotation for an expression that
    does not consist of the words of this module, because only Python can evaluate it."""
    match node:
        case ast.Constant(value=str(source)):
            return read_annotation(ast.parse(source, mode="eval").body, aliases)
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in aliases:
            rest = {alias: value for alias, value in aliases.items() if alias != name}
            return read_annotation(aliases[name], rest)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in KNOWN:
            return KNOWN[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return read_annotation(left, aliases) | read_annotation(right, aliases)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -read_annotation(operand, aliases)
        case ast.Tuple(elts=elements):
            return tuple(_read_inside(one, aliases) for one in elements)
        case ast.Subscript(value=value, slice=inside):
            return read_annotation(value, aliases)[_read_inside(inside, aliases)]
        case ast.Call(func=function, args=arguments, keywords=keywords):
            given = [_read_inside(one, aliases) for one in arguments]
            named = {one.arg: _read_inside(one.value, aliases) for one in keywords if one.arg}
            return read_annotation(function, aliases)(*given, **named)
    raise UnreadableAnnotation(f"{ast.unparse(node)} has no kind that can be read without running it")


def _read_inside(node: ast.expr, aliases: Mapping[str, ast.expr]) -> Any:
    """A text inside brackets or a call is a text, not a quoted annotation."""
    if isinstance(node, ast.Constant):
        return node.value
    return read_annotation(node, aliases)
