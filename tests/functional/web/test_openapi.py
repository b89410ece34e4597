"""The OpenAPI document is valid, complete, and true of what the server does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clusterlib.operations.catalogue import shipped
from tests.functional.conftest import Up
from tests.functional.web.client import Client

LEFT_OUT = ("serve", "down", "clean", "scale", "restart", "sync", "up", "stream", "report")
"""What would end the cluster, make many nodes, or never end."""


def test_it_is_valid(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text(PRICE)
    document = client.get("/api/openapi.json").document

    assert document["openapi"].startswith("3.1.")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())
    assert document["paths"]["/api/shop/price"]["get"]["parameters"][0]["schema"] == {
        "type": "string",
        "enum": ["tea", "milk"],
        "default": "tea",
    }


PRICE = '''
from typing import Literal

from clusterlib.operations import operation


@operation(effect="read", group="shop")
def price(*, item: Literal["tea", "milk"] = "tea", tags: tuple[str, ...] = ()) -> float:
    """The price of an item."""
    return 2.5
'''


def test_it_has_every_operation_with_its_effect_and_its_parameters(client: Client) -> None:
    document = client.get("/api/openapi.json").document
    found = [one for methods in document["paths"].values() for one in methods.items()]
    described = {operation["operationId"]: (method, operation) for method, operation in found}

    assert len(described) == len(found)
    for one in shipped():
        name = one.full_name.replace(".", "_").replace("-", "_")
        method, operation = described.get(name) or described[f"{name}_of_cluster"]
        assert operation["x-effect"] == one.effect
        assert method == ("get" if one.effect == "read" else "post")
        if method == "get":
            taken = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        else:
            taken = set(operation["requestBody"]["content"]["application/json"]["schema"]["properties"])
        listed = {each.name for each in one.arguments if not each.streams}
        assert taken - {one.words} - {"name"} == listed - {"name"}
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}


def test_every_operation_needs_the_token(client: Client) -> None:
    document = client.get("/api/openapi.json").document

    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert all("security" not in one for methods in document["paths"].values() for one in methods.values())


def examine(client: Client, examples: int) -> None:
    """Sends requests that fit the document and others that do not, always the same ones."""
    document: dict[str, Any] = client.get("/api/openapi.json").document
    document["paths"] = {
        path: methods
        for path, methods in document["paths"].items()
        if path.rpartition("/")[2] not in LEFT_OUT
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=client.url)
    headers = {"Authorization": f"Bearer {client.token}"}
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
        response_headers_conformance,
        ignored_auth,
    ]
    steady = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        for mode in GenerationMode:

            @steady
            @given(case=result.ok().as_strategy(generation_mode=mode))
            def send(case: schemathesis.Case[Any]) -> None:
                # In a query all values are texts, and the text of a wrong type is often right.
                strict = [negative_data_rejection] if case.method == "POST" else []
                case.call_and_validate(headers=headers, checks=[*checks, *strict], timeout=60)

            with suppress(Unsatisfiable):  # there is no wrong request for what takes nothing
                send()


def test_what_the_document_says_is_true(client: Client, up: Up) -> None:
    up("ci-small", simulate=True)

    examine(client, examples=5)


@pytest.mark.lab
def test_what_the_document_says_is_true_of_many_requests(client: Client, up: Up) -> None:
    up("ci-small", simulate=True)

    examine(client, examples=200)
