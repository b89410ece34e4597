"""What is known of an operation without importing it, read from the syntax tree of its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.frozen import frozen
from clusterlib.messages.codec import plain
from clusterlib.messages.effects import Effect
from clusterlib.operations.help_texts import STREAM, WHAT_A_DRY_RUN_DOES, WHICH_CLUSTER

if TYPE_CHECKING:
    from clusterlib.operations.declaring import Operation
    from clusterlib.operations.parameters import Parameter
    from clusterlib.operations.scopes import Scope

__all__ = [
    "JSON",
    "ListedOperation",
    "ListedParameter",
    "SourceTrouble",
    "listed_in",
    "listing_of",
]

DECORATOR = "operation"
ROOM = "clusterlib.operations"
Function = ast.FunctionDef | ast.AsyncFunctionDef
KINDS: Mapping[str, tuple[type, str]] = {
    "taints": (bool, "True or False"),
    "serves": (tuple, 'a tuple of texts such as ("redis-server",)'),
}
"""Of arguments of the decorator that are not texts."""


class NotDeclaredRight(ValueError):
    """A function that is marked as an operation but cannot be one."""


@frozen
class ListedParameter:
    """What a shell needs to know of a parameter."""

    name: str
    help: str
    schema: Mapping[str, Any]
    """As JSON schema."""
    required: bool
    default: object = None
    short: str = ""
    word: bool = False
    completes: str = ""

    @property
    def takes_value(self) -> bool:
        return self.schema.get("type") != "boolean"

    @property
    def negates(self) -> bool:
        """Whether its flag turns off what is on by default: `--no-colour`."""
        return not self.takes_value and self.default is True

    @property
    def flag(self) -> str:
        """The option of a command that sets it."""
        return f"--{'no-' if self.negates else ''}{self.name.replace('_', '-')}"

    @property
    def flags(self) -> tuple[str, ...]:
        return (self.flag, f"-{self.short}") if self.short else (self.flag,)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(map(str, self.schema.get("enum", ())))

    @property
    def streams(self) -> bool:
        """Whether this flag makes the answer a stream without an end."""
        return self.schema.get("format") == STREAM

    @property
    def stands_for(self) -> str:
        """What a help has in place of the value: of a number an N, of a time its unit."""
        if not self.takes_value:
            return ""
        if self.choices:
            return "|".join(self.choices)
        if "format" in self.schema:
            return str(self.schema["format"]).upper()
        return (
            "N" if self.schema.get("type") in {"integer", "number"} else self.name.upper().replace("_", "-")
        )

    @property
    def explained(self) -> str:
        """Its help, with its default."""
        if self.default is None or isinstance(self.default, bool) or self.default in ("", []):
            return self.help
        return f"{self.help} Default: {self.default}.".strip()


CLUSTER = ListedParameter("name", WHICH_CLUSTER, {"type": "string"}, required=False, completes="clusters")
"""What an operation on a cluster takes besides, unless it is a method."""
DRY_RUN = ListedParameter("dry_run", WHAT_A_DRY_RUN_DOES, {"type": "boolean"}, required=False, default=False)
"""What an operation that destroys takes besides, unless it has such a parameter."""
JSON = ListedParameter(
    "json",
    "Answer with one JSON document on stdout, errors included.",
    {"type": "boolean"},
    required=False,
    default=False,
)


@frozen
class ListedOperation:
    """An operation, as a shell lists it."""

    group: str
    name: str
    help: str
    effect: Effect
    scope: Scope
    parameters: tuple[ListedParameter, ...]
    words: str
    """The name of the words after `--`. Empty if it takes none."""
    module: str
    """The module that defines it, or the path of a file of the project."""
    function: str
    line: int
    serves: tuple[str, ...] = ()
    """The servers, or drivers, whose clusters it can be used on; empty: all."""

    @property
    def full_name(self) -> str:
        """The name in a shell."""
        return f"{self.group}.{self.name}".replace("_", "-")

    @property
    def path(self) -> tuple[str, ...]:
        """The words of the command line that call it. Those of clusters need no group."""
        return tuple(self.full_name.removeprefix("cluster.").split("."))

    @property
    def arguments(self) -> tuple[ListedParameter, ...]:
        """Its parameters, and whether it is only to say what it would do."""
        own = any(one.name == DRY_RUN.name for one in self.parameters)
        is_implied = self.effect is Effect.DESTROY and not own
        return (*self.parameters, *((DRY_RUN,) if is_implied else ()))

    @property
    def options(self) -> tuple[ListedParameter, ...]:
        """What its command takes: its arguments, the name of its cluster, and how it is to
        answer."""
        return (*self.arguments, *(() if self.scope == "project" else (CLUSTER,)), JSON)

    @property
    def summary(self) -> str:
        return self.help.partition("\n")[0]


@frozen
class SourceTrouble:
    """What is wrong with a source."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


def listing_of(operation: Operation[Any], module: str, line: int) -> ListedOperation:
    """The same for an operation that is imported."""
    body = operation.body
    return ListedOperation(
        group=operation.group,
        name=operation.name,
        help=_help(body.__doc__, operation.serves),
        effect=operation.effect,
        scope=operation.scope,
        parameters=tuple(map(_listed_parameter, operation.parameters)),
        words=operation.words or "",
        module=module,
        function=body.__name__,
        line=line,
        serves=operation.serves,
    )


def listed_in(source: str, module: str, file: str) -> tuple[list[ListedOperation], list[SourceTrouble]]:
    """The operations that this source declares, and the mistakes in it.

    Mistakes in a source that has nothing to do with clusterlib are ignored."""
    if "clusterlib" not in source:
        return [], []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return [], [SourceTrouble(file, getattr(error, "lineno", 0) or 0, getattr(error, "msg", str(error)))]
    aliases = dict(_assigned(tree))
    found, troubles = list[ListedOperation](), list[SourceTrouble]()
    for function, decorator in _declared(tree):
        try:
            if any(one.function == function.name for one in found):
                raise NotDeclaredRight("the file has another operation of this function name")
            found.append(_listed(_checked(function, tree), _options(decorator, aliases), aliases, module))
        except ValueError as error:  # an annotation without a kind, or no valid option
            troubles.append(SourceTrouble(file, function.lineno, f"{function.name}: {error}"))
        except Exception as error:  # noqa: BLE001 - wrong arguments of a kind
            problem = f"{function.name}: {type(error).__name__}: {error}"
            troubles.append(SourceTrouble(file, function.lineno, problem))
    return found, troubles


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The assignments of the module: each name with its value."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            yield from ((one.id, statement.value) for one in statement.targets if isinstance(one, ast.Name))
        elif (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
        ):
            yield statement.target.id, statement.value


def _declared(tree: ast.Module) -> Iterator[tuple[Function, ast.expr]]:
    """The functions with the decorator of operations, wherever they are, with the decorator."""
    names = {
        alias.asname or alias.name
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(ROOM)
        for alias in statement.names
        if alias.name == DECORATOR
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in function.decorator_list:
                used = decorator.func if isinstance(decorator, ast.Call) else decorator
                called = ast.unparse(used)
                if called in names or called.endswith(f"operations.{DECORATOR}"):
                    yield function, decorator


def _checked(function: Function, tree: ast.Module) -> ast.FunctionDef:
    if isinstance(function, ast.AsyncFunctionDef):
        raise NotDeclaredRight("an operation is a plain function, not `async def`")
    if function not in tree.body:
        raise NotDeclaredRight("an operation must be declared at the top level of its file")
    if function.args.posonlyargs or function.args.kwarg:
        raise NotDeclaredRight("an operation cannot have a `/` or `**` among its parameters")
    return function


def _options(decorator: ast.expr, aliases: Mapping[str, ast.expr]) -> Mapping[str, Any]:
    """The arguments of the decorator. They must be constants: nothing is run to read them."""
    if not isinstance(decorator, ast.Call):
        raise NotDeclaredRight('write @operation(effect="read"), for example')
    options: dict[str, Any] = {}
    for one in decorator.keywords:
        kind, what = KINDS.get(str(one.arg), (str, "a text"))
        value = _constant(one.value, aliases)
        if not isinstance(value, kind):
            raise NotDeclaredRight(f"its {one.arg} must be {what}, written out")
        options[str(one.arg)] = value
    return options


def _constant(value: ast.expr, aliases: Mapping[str, ast.expr]) -> object:
    """None for what is not written out, here or in an assignment of the file. Of a tuple, all must
    be texts."""
    if isinstance(value, ast.Name):
        value = aliases.get(value.id, value)
    if isinstance(value, ast.Constant):
        return value.value
    inner = [_constant(one, aliases) for one in value.elts] if isinstance(value, ast.Tuple) else [None]
    return tuple(inner) if all(isinstance(one, str) for one in inner) else None


def _help(docstring: str | None, serves: Sequence[str]) -> str:
    """What it does, and for which clusters."""
    said = (docstring or "").strip()
    return f"{said}\n\nOnly for clusters of {' or '.join(serves)}." if serves else said


def _listed(
    function: ast.FunctionDef, options: Mapping[str, Any], aliases: Mapping[str, ast.expr], module: str
) -> ListedOperation:
    from clusterlib.operations.declaring import GIVEN
    from clusterlib.operations.scopes import scope_of

    effect = options.get("effect")
    if effect not in list(Effect):
        raise NotDeclaredRight(f"its effect must be one of {', '.join(Effect)}, written out")
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return ListedOperation(
        group=options.get("group", "cluster"),
        name=options.get("name") or function.name.strip("_"),
        help=_help(ast.get_docstring(function, clean=False), options.get("serves", ())),
        effect=Effect(effect),
        scope=scope_of(dict.fromkeys(names)),
        parameters=_distinct(
            [_listed_parameter(one) for one in _parameters(given, aliases) if one.name not in GIVEN],
            ["json", *(["name"] if "cluster" in names else [])],
        ),
        words=given.vararg.arg if given.vararg else "",
        module=module,
        function=function.name,
        line=function.lineno,
        serves=options.get("serves", ()),
    )


def _distinct(parameters: Sequence[ListedParameter], taken: Sequence[str]) -> tuple[ListedParameter, ...]:
    """`taken` are the other options of the command."""
    flags = [f"--{one.replace('_', '-')}" for one in (*taken, "help")] + ["-h"]
    for one in parameters:
        for flag in one.flags:
            if flag in flags:
                raise NotDeclaredRight(
                    f"{one.name} cannot have the option {flag}, which the command has already"
                )
            flags.append(flag)
    return tuple(parameters)


def _parameters(given: ast.arguments, aliases: Mapping[str, ast.expr]) -> Iterator[Parameter]:
    from clusterlib.operations.declaring import GIVEN
    from clusterlib.operations.parameters import MISSING, UnreadableAnnotation, parameter_of, read_annotation

    words = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(words) - len(given.defaults)) + list(given.defaults)
    pairs = [*zip(words, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    for number, (argument, default) in enumerate(pairs):
        if argument.arg in GIVEN:
            continue
        if argument.annotation is None:
            raise UnreadableAnnotation(f"{argument.arg} has no annotation")
        said = MISSING if default is None else _literal(argument.arg, default)
        annotation = read_annotation(argument.annotation, aliases)
        yield parameter_of(argument.arg, annotation, said, word=number < len(words))


def _literal(name: str, default: ast.expr) -> object:
    try:
        return ast.literal_eval(default)
    except ValueError:
        raise NotDeclaredRight(f"the default of {name} must be written out, as a constant") from None


def _listed_parameter(one: Parameter) -> ListedParameter:
    return ListedParameter(
        name=one.name,
        help=one.help,
        schema=dict(one.kind.json),
        required=one.required,
        default=None if one.required else plain(one.default),
        short=one.short,
        word=one.word,
        completes=one.completes,
    )
