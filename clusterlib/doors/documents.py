"""Answers as JSON, with their remedies as a door words them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from clusterlib.doors.wording import Wording

__all__ = ["as_json", "document_of", "single_document", "worded"]

WITHOUT_DOCUMENT = frozenset({"FollowedEvents", "LivePrompt", "LogView", "NodeShell", "ProjectServer"})


def as_json(document: object, indent: int | None = None) -> str:
    """A line of JSON, or several if it is indented."""
    try:
        return json.dumps(document, indent=indent, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(document), indent=indent, allow_nan=False) + "\n"


def worded(document: Any, wording: Wording) -> Any:
    """The document with its remedies in these words."""
    if isinstance(document, Mapping):
        return {key: worded(value, wording) for key, value in document.items()}
    if isinstance(document, str):
        return wording(document)
    return [worded(one, wording) for one in document] if isinstance(document, list | tuple) else document


def document_of(result: object) -> Any:
    """The result of an operation as plain data.

    Raises OperationBroken if it has something that JSON has no form for."""
    from clusterlib.errors import OperationBroken
    from clusterlib.messages.codec import plain
    from clusterlib.operations.result import Result

    try:
        return result.to_dict() if isinstance(result, Result) else plain(result)
    except (TypeError, ValueError, RecursionError) as error:
        raise OperationBroken(
            f"the result of the operation cannot be shown: {error}",
            cause="results are texts, numbers, lists, mappings, enumerations and data classes",
        ) from error


def single_document(result: object, name: str) -> Any:
    """The same at a door where each call of an operation, here that of this name, has one answer.

    Raises NotSupported for a stream or a conversation, and closes it."""
    from contextlib import AbstractContextManager

    from clusterlib.errors import NotSupported

    kind = type(result)
    if kind.__module__.startswith("clusterlib.") and kind.__name__ in WITHOUT_DOCUMENT:
        if isinstance(result, AbstractContextManager):
            result.__exit__(None, None, None)
        raise NotSupported(
            f"{name} answers with no document here",
            cause="a prompt needs a terminal; without `follow`, and with an expression, there is a document",
        )
    return document_of(result)


def _finite(value: Any) -> Any:
    """JSON has no word for infinity, nor for what is not a number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
