"""Lists the available operations, with the schemas of their parameters and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clusterlib.client.start import project_folder
from clusterlib.errors import OperationBroken
from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.messages.schema import schema_of
from clusterlib.operations.catalogue import catalogue, load
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.listing import ListedOperation, ListedParameter, SourceTrouble
from clusterlib.operations.result import Result
from clusterlib.operations.scopes import Scope

__all__ = ["Described", "Operations", "operations", "parameter_schema", "result_schema"]


@frozen
class Described(Result):
    name: str
    effect: Effect
    scope: Scope
    serves: tuple[str, ...]
    """The servers, or drivers, whose clusters it can be used on; empty: all."""
    help: str
    origin: str
    """clusterlib, or the file of the project and the line."""
    parameters: Mapping[str, Any]
    """As JSON schema."""
    result: Mapping[str, Any] | None
    """As JSON schema; None where it cannot be imported."""


@frozen
class Operations(Result):
    operations: tuple[Described, ...]
    troubles: tuple[SourceTrouble, ...]
    """Files of the project with mistakes; the other operations are not affected."""

    @property
    def exit_status(self) -> int:
        return 1 if self.troubles else 0


@operation(effect="read")
def operations(caller: Caller) -> Operations:
    """List all operations of clusterlib and of this project; with --json also their schemas."""
    folder = project_folder(caller.project)
    described, broken = list[Described](), list[SourceTrouble]()
    for one in catalogue(folder).operations:
        result = None
        if caller.structured:  # only then, because it imports all of them
            try:
                result = result_schema(one)
            except OperationBroken as error:
                where = error.evidence[-1] if error.evidence else error.problem
                broken.append(SourceTrouble(one.module, one.line, f"{error.cause}: {where}"))
        described.append(_described(one, result))
    troubles = catalogue(folder).troubles  # now with those of imports
    known = {one.file for one in troubles}
    return Operations(tuple(described), (*troubles, *(one for one in broken if one.file not in known)))


def _described(one: ListedOperation, result: Mapping[str, Any] | None) -> Described:
    ours = not one.module.endswith(".py")
    return Described(
        name=one.full_name,
        effect=one.effect,
        scope=one.scope,
        serves=one.serves,
        help=one.help,
        origin="clusterlib" if ours else f"{one.module}:{one.line}",
        parameters=parameter_schema(one),
        result=result,
    )


def parameter_schema(
    one: ListedOperation, parameters: Sequence[ListedParameter] | None = None
) -> Mapping[str, Any]:
    """`parameters`: those that a door offers; else all that are declared."""
    parameters = one.arguments if parameters is None else parameters
    properties: dict[str, Any] = {
        each.name: {
            **each.schema,
            **({"description": each.help} if each.help else {}),
            **({} if each.default is None else {"default": each.default}),
        }
        for each in parameters
    }
    if one.words:
        properties[one.words] = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [each.name for each in parameters if each.required],
    }


def result_schema(one: ListedOperation) -> Mapping[str, Any]:
    """The schema of the function's annotated result, or of any value if that cannot be resolved.

    Imports the operation. Raises OperationBroken if that is not possible."""
    body = load(one).body
    said = body.__annotations__.get("return", Any)
    try:
        if isinstance(said, str):
            said = eval(said, getattr(body, "__globals__", {}))  # noqa: S307 - as typing.get_type_hints does
        return schema_of(said)
    except NameError:  # imported for type checkers only
        return {}
