from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from clusterlib import profiles
from clusterlib.profiles import find_project, list_profiles, schema, shipped
from clusterlib.profiles.reference import reference

ROOT = Path(__file__).parents[3]
SHIPPED = [path.stem for path in sorted((ROOT / "profiles").glob("*.toml"))]


def test_every_public_name_is_there() -> None:
    for name in profiles.__all__:
        assert getattr(profiles, name) is not None
    assert dir(profiles) == sorted(profiles.__all__)


def test_a_project_is_the_nearest_folder_that_looks_like_one(tmp_path: Path) -> None:
    (tmp_path / "shop/tests/deep").mkdir(parents=True)
    (tmp_path / "shop/tasks.py").touch()

    assert find_project(tmp_path / "shop/tests/deep") == tmp_path / "shop"


def test_profiles_of_the_project_come_first_and_hide_shipped_ones(
    project: Path, write: Callable[[str, str], Path]
) -> None:
    write("dev", 'description = "ours"\n')
    write("broken", "= =\n")

    listed = {(one.source, one.name): one for one in list_profiles(project)}

    assert listed["project", "dev"].description == "ours"
    assert not listed["project", "dev"].shadowed
    assert listed["shipped", "dev"].shadowed
    assert "not valid TOML" in str(listed["project", "broken"].problem)
    assert [name for source, name in listed if source == "shipped"] == SHIPPED


def test_the_project_that_ships_them_lists_them_once() -> None:
    assert [one.name for one in list_profiles(ROOT)] == SHIPPED
    assert shipped("profiles") == ROOT / "profiles"


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / "docs/profiles.md").read_text()

    assert written == reference(), "run: python -m clusterlib.profiles.reference docs/profiles.md"


def test_the_schema_is_plain_data_and_knows_every_key() -> None:
    described = json.loads(json.dumps(schema()))

    assert described["additionalProperties"] is False
    assert set(described["properties"]) >= {"extends", "nodes", "driver", "ports", "python"}
    assert described["properties"]["nodes"]["properties"]["count"]["default"] == 3
    assert described["properties"]["driver"]["examples"] == ["python", "command", "beam"]
