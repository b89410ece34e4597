"""Declares an operation once, as a function: `@operation(effect="change")`.

From its signature come the task, the command of the program `clusterlib`, the method of `Cluster`,
the JSON schema and the checks of arguments. Two parameter names have a meaning:

- `cluster` is the running cluster of the operation. Its caller names it, or calls the operation as
  a method.
- `caller` is informed during the operation, see `Caller`.

All others are given by the caller: those before the `*` also as bare words, `*words` after a `--`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, cast

from clusterlib.errors import ClusterError, OperationBroken, UsageError
from clusterlib.messages.effects import Effect
from clusterlib.operations.help_texts import WHAT_A_DRY_RUN_DOES
from clusterlib.operations.marks import check_served
from clusterlib.operations.parameters import (
    MISSING,
    ClusterName,
    Help,
    Parameter,
    Refused,
    check_accepted,
    parameter_of,
)
from clusterlib.operations.scopes import Scope, scope_of

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import Listener
    from clusterlib.operations.dry_run import Foreseen
    from clusterlib.operations.result import Result

__all__ = [
    "CLUSTER_NAME",
    "GIVEN",
    "Caller",
    "Effect",
    "Operation",
    "operation",
]

R = TypeVar("R")
MOST_RECORDED = 200
"""Characters of an argument, or of an error, in the event log."""
GIVEN = frozenset({"cluster", "caller"})
CLUSTER_NAME = parameter_of("name", ClusterName | None, None, word=False)
"""What the caller of an operation on a cluster can say besides, unless it is a method: which
cluster."""
DRY_RUN = parameter_of("dry_run", Annotated[bool, Help(WHAT_A_DRY_RUN_DOES)], False, word=False)
"""What the caller of an operation that destroys can say besides."""
Foresight = Callable[..., Sequence[str]]


class Caller:
    """The caller of an operation.

    A door displays what it gets; a program that calls it as a function receives events."""

    def __init__(self, project: Path | str | None = None, on_event: Listener | None = None) -> None:
        self.project = project
        self._on_event = on_event

    @property
    def structured(self) -> bool:
        """Whether the answer is wanted as data (`--json`)."""
        return False

    @property
    def on_event(self) -> Listener | None:
        """For functions with a parameter `on_event`: called with the events of the cluster."""
        return self._on_event

    def note(self, text: str) -> None:
        """Something to be known before the result is there."""

    def show(self, result: Result) -> None:
        """A result that is there before the end."""


class Operation(Generic[R]):
    """A declared function.

    Called as a function, it also takes `name` (of the cluster) and `project`."""

    def __init__(
        self,
        body: Callable[..., R],
        name: str,
        group: str,
        effect: Effect,
        *,
        taints: bool,
        serves: tuple[str, ...] = (),
    ) -> None:
        self.body = body
        self.name = name
        self.group = group
        self.effect = effect
        self.taints = taints
        """Whether the cluster counts as dirty afterwards, beyond what its keeper has seen by
        itself."""
        self.serves = serves
        """The servers, or drivers, whose clusters it can be used on; empty: all."""
        self.folders: tuple[str, ...] = ()
        """Where modules can be imported while it runs: of an operation of a project, the
        project."""
        self.__doc__ = body.__doc__
        self._foresight: Foresight | None = None

    @property
    def full_name(self) -> str:
        """As a shell names it."""
        return f"{self.group}.{self.name}".replace("_", "-")

    @cached_property
    def _signature(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.body).parameters

    @property
    def takes_cluster(self) -> bool:
        return "cluster" in self._signature

    @cached_property
    def words(self) -> str | None:
        """The name of what takes the words after `--`."""
        return next((one.name for one in self._signature.values() if one.kind is one.VAR_POSITIONAL), None)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters for its caller.

        Raises OperationBroken for an annotation that names something unknown."""
        return tuple(
            parameter_of(
                one.name,
                self._annotation(one),
                MISSING if one.default is one.empty else one.default,
                word=one.kind is one.POSITIONAL_OR_KEYWORD,
            )
            for one in self._signature.values()
            if one.name not in GIVEN and one.kind is not one.VAR_POSITIONAL
        )

    def _annotation(self, one: inspect.Parameter) -> object:
        if not isinstance(one.annotation, str):
            return one.annotation
        try:
            return eval(one.annotation, getattr(self.body, "__globals__", {}))  # noqa: S307 - as typing.get_type_hints does
        except NameError as error:
            raise OperationBroken(
                f"the annotation of {one.name!r} of {self.full_name} cannot be read: {error}",
                cause="what annotates a parameter must be imported when the operation runs, "
                "not only for type checkers",
            ) from error

    @property
    def has_dry_run(self) -> bool:
        """Whether its caller can ask what it would do. One with such a parameter does it itself."""
        return self.effect is Effect.DESTROY and DRY_RUN.name not in self._signature

    def foresees(self, foresight: Foresight) -> Foresight:
        """Declares what a dry run says: a function with parameters of the operation, which changes
        nothing and returns sentences."""
        self._foresight = foresight
        return foresight

    @property
    def _options(self) -> tuple[Parameter, ...]:
        """What its caller can say, also which cluster it means."""
        named = (CLUSTER_NAME,) if self.takes_cluster else ()
        return (*self.parameters, *((DRY_RUN,) if self.has_dry_run else ()), *named)

    @property
    def scope(self) -> Scope:
        return scope_of(self._signature)

    # -- calling it

    def __call__(
        self,
        *given: Any,
        name: str | None = None,
        project: Path | str | None = None,
        on_event: Listener | None = None,
        **named: Any,
    ) -> R:
        if name is not None and not self.takes_cluster:
            named["name"] = name
        return self.called_by(Caller(project, on_event), name, given, named)

    def called_by(
        self,
        caller: Caller,
        name: str | None,
        given: Sequence[Any],
        named: Mapping[str, Any],
        words: Sequence[str] = (),
    ) -> R:
        """Runs the operation; `name` is the cluster, if it needs one. `words`: those after `--`."""
        if not self.takes_cluster:
            return self._run(caller, None, given, named, words)
        from clusterlib.operations.reach import reached

        with reached(name, project=caller.project) as cluster:
            return self._run_on(cluster, caller, given, named, words)

    def on(self, cluster: Cluster, *given: Any, caller: Caller | None = None, **named: Any) -> R:
        """Runs the operation with this cluster.

        The keeper is informed, unless the operation only reads."""
        return self._run_on(cluster, caller or Caller(cluster.project), given, named, ())

    def _run_on(
        self,
        cluster: Cluster,
        caller: Caller,
        given: Sequence[Any],
        named: Mapping[str, Any],
        words: Sequence[str],
    ) -> R:
        check_served(self.full_name, self.serves, cluster)
        if self.effect is Effect.READ or (self.has_dry_run and named.get(DRY_RUN.name)):
            return self._run(caller, cluster, given, named, words)
        with self._announced(cluster, given, named, words):
            return self._run(caller, cluster, given, named, words)

    def _run(
        self,
        caller: Caller,
        cluster: Cluster | None,
        given: Sequence[Any],
        named: Mapping[str, Any],
        words: Sequence[str],
    ) -> R:
        """Raises UsageError for values that a parameter does not accept, as a command does."""
        ours: dict[str, object] = {"cluster": cluster, "caller": caller}
        arguments, queue = dict(named), list(given)
        refused: list[Refused] = []
        is_dry = self.has_dry_run and bool(DRY_RUN.check(arguments.pop(DRY_RUN.name, False), refused))
        kinds = {one.name: one for one in self.parameters}
        positional: list[Any] = []
        for one in self._signature.values():
            if one.kind is one.VAR_POSITIONAL:
                positional += [*queue, *words]
                queue = []
                continue
            if one.name in GIVEN:
                value = ours[one.name]
            elif one.kind is not one.KEYWORD_ONLY and queue and one.name not in arguments:
                value = kinds[one.name].check(queue.pop(0), refused)
            elif one.name in arguments:
                value = kinds[one.name].check(arguments.pop(one.name), refused)
            elif one.default is not one.empty:
                value = one.default
            else:
                raise TypeError(f"{self.full_name} needs a value for {one.name!r}")
            if one.kind is one.KEYWORD_ONLY:
                arguments[one.name] = value
            else:
                positional.append(value)
        check_accepted(refused)
        with self._importing():
            if is_dry:
                return cast("R", self._foreseen([*positional, *queue], arguments))
            return self.body(*positional, *queue, **arguments)

    def _foreseen(self, positional: Sequence[Any], named: Mapping[str, Any]) -> Foreseen:
        from clusterlib.operations.dry_run import Foreseen

        bound = inspect.signature(self.body).bind(*positional, **named).arguments
        would: Sequence[str] = [f"{self.full_name} would be carried out; it does not say what it does"]
        if self._foresight is not None:
            taken = inspect.signature(self._foresight).parameters
            would = self._foresight(**{name: bound[name] for name in taken if name in bound})
        cluster: Cluster | None = bound.get("cluster")
        return Foreseen(self.full_name, cluster.name if cluster is not None else None, tuple(would))

    def _importing(self) -> AbstractContextManager[None]:
        if not self.folders:
            return nullcontext()
        from clusterlib.importing import importable

        return importable(self.folders)

    @contextmanager
    def _announced(
        self, cluster: Cluster, given: Sequence[Any], named: Mapping[str, Any], words: Sequence[str]
    ) -> Iterator[None]:
        from clusterlib.client.caller import caller_name
        from clusterlib.messages.requests import BeginOperation, EndOperation

        places = [one.name for one in self.parameters if one.word]
        every = {**dict(zip(places, given, strict=False)), **named}
        secrets = [str(every[one.name]) for one in self.parameters if one.secret and one.name in every]
        arguments = {name: str(value) for name, value in every.items() if value is not None}
        if self.words and (words or given[len(places) :]):
            arguments[self.words] = " ".join(map(str, [*given[len(places) :], *words]))
        recorded = {name: _without(secrets, text)[:MOST_RECORDED] for name, text in arguments.items()}
        asked = BeginOperation(self.full_name, recorded, self.effect, self.taints, caller_name())
        number = cluster.keeper.ask(asked)
        error = ""
        try:
            yield
        except BaseException as problem:
            error = problem.problem if isinstance(problem, ClusterError) else repr(problem)
            raise
        finally:
            with suppress(ClusterError):  # it may have ended the cluster
                cluster.keeper.ask(EndOperation(number, _without(secrets, error)[:MOST_RECORDED]))

    # -- what was typed

    def read(self, given: Mapping[str, object], called: Callable[[Parameter], str]) -> dict[str, Any]:
        """The arguments, from texts and flags, with the name of the cluster if it takes one.
        `called`: the written form of each parameter.

        Raises UsageError with every mistake."""
        said = {name: value for name, value in given.items() if value is not None}
        return self._taken(said, lambda one, value, refused: one.read(value, called(one), refused), called)

    def accept(self, given: Mapping[str, object]) -> dict[str, Any]:
        """The same from values that have their types already, such as those of a JSON document."""
        return self._taken(given, lambda one, value, refused: one.check(value, refused), lambda one: one.name)

    def _taken(
        self,
        given: Mapping[str, object],
        take: Callable[[Parameter, object, list[Refused]], object],
        called: Callable[[Parameter], str],
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        refused: list[Refused] = []
        taken = self._options
        for one in taken:
            if one.name in given:
                values[one.name] = take(one, given[one.name], refused)
            elif one.required:
                refused.append(Refused(called(one)))
        known = {one.name for one in taken}
        if unknown := [name for name in given if name not in known]:
            raise UsageError(f"there is no option {', '.join(unknown)}")
        check_accepted(refused)
        return values


def _without(secrets: Sequence[str], text: str) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def operation(
    *,
    effect: Effect | str,
    name: str = "",
    group: str = "cluster",
    taints: bool | None = None,
    serves: tuple[str, ...] = (),
) -> Callable[[Callable[..., R]], Operation[R]]:
    """Makes a function an operation. `effect`: read, change, destroy or execute. `name`: if it
    differs from that of the function.

    `taints`: whether the cluster counts as dirty afterwards. By default, if the operation destroys
    something.

    `serves`: the names of the servers, or drivers, whose clusters it can be used on. By default
    all."""

    known = Effect(effect)
    leaves_dirt = known is Effect.DESTROY if taints is None else taints

    def declare(body: Callable[..., R]) -> Operation[R]:
        return Operation(
            body, name or body.__name__.strip("_"), group, known, taints=leaves_dirt, serves=serves
        )

    return declare
