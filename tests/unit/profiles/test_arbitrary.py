"""Any file gives a profile or a ProfileError, and any profile can be written and read."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterlib.errors import ProfileError
from clusterlib.machine.facts import Machine
from clusterlib.profiles import ResolvedProfile, load_profile, shipped
from clusterlib.profiles.vocabulary import Vocabulary
from clusterlib.profiles.writing import toml_text
from clusterlib.values.ports import PortRange

HERE = Machine("CI", 2.0, 2**31)
bounded = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _load(path: Path, *, adapt: bool = True, **more: Any) -> ResolvedProfile:
    given = {"environ": {}, "machine": HERE, **more}
    return load_profile(path, project=path.parent, resolver=lambda _: None, adapt=adapt, **given)


def _profile_or_mistakes(path: Path, **more: Any) -> None:
    try:
        profile = _load(path, **more)
    except ProfileError as error:
        told = str(error)
    else:
        told = json.dumps(profile.to_json())
    assert told


@bounded
@given(st.binary(max_size=200))
def test_arbitrary_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    _profile_or_mistakes(tmp_path / "x.toml")


keys = st.sampled_from(
    [
        *("extends", "nodes", "count", "ports", "http", "templates", "environment", "tests", "python", "path", "driver"),
        *("timeouts", "start", "adapt", "network", "mode", "retry", "first", '"a b"', '""', "x", "name", "host", "min"),
    ]
)  # fmt: skip
scalars = st.one_of(
    st.integers().map(str),
    st.integers(min_value=0, max_value=2**70).map(hex),
    st.floats().map(str),
    st.sampled_from(["true", "false", "1979-05-27", "07:32:00", '"dev"', '"x"', '"20000-20100"', '"a{index}"', '""']),
    st.text(string.printable, max_size=8).map(json.dumps),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(keys, inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"{key} = {value}" for key, value in items.items()) + " }"
        ),
    ),
    max_leaves=6,
)


@bounded
@given(st.dictionaries(keys, values, max_size=8))
def test_arbitrary_toml(tmp_path: Path, tree: dict[str, str]) -> None:
    (tmp_path / "x.toml").write_text("".join(f"{key} = {value}\n" for key, value in tree.items()))
    _profile_or_mistakes(tmp_path / "x.toml")


@bounded
@given(st.data())
def test_mutated_profiles(tmp_path: Path, data: st.DataObject) -> None:
    text = (shipped("profiles") / "dev.toml").read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        upto = data.draw(st.integers(at, min(len(text), at + 12)))
        text = text[:at] + data.draw(st.one_of(st.text(max_size=4), values, keys)) + text[upto:]
    (tmp_path / "x.toml").write_text(text, errors="replace")
    _profile_or_mistakes(tmp_path / "x.toml")


names = st.sampled_from(
    [
        *Vocabulary.of_all().variables(),
        "CLUSTERLIB_PORTS_HTTP",
        "CLUSTERLIB_ENVIRONMENT_X",
        "CLUSTERLIB_NODES_CUONT",
    ]
)
texts = st.one_of(
    st.text(max_size=8), st.sampled_from(["3", "yes", "1e400", "nan", "'", "9" * 5000, "\udcff", "\0"])
)


@bounded
@given(st.dictionaries(names, texts, max_size=6))
def test_arbitrary_environments(environ: dict[str, str]) -> None:
    _profile_or_mistakes(shipped("profiles") / "dev.toml", environ=environ)


paths = st.sampled_from(
    ["nodes.count", "nodes", "ports", "ports.http", "tests.paths", "simulate", "a.b", ".", "x", ""]
)
objects = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@bounded
@given(st.dictionaries(paths, objects, max_size=5))
def test_arbitrary_overrides(overrides: dict[str, object]) -> None:
    _profile_or_mistakes(shipped("profiles") / "dev.toml", overrides=overrides)


words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
seconds = st.floats(0.001, 1000)
good = st.fixed_dictionaries(
    {},
    optional={
        "description": words,
        "linger": seconds,
        "simulate": st.booleans(),
        "nodes.count": st.integers(1, 200),
        "nodes.memory": st.integers(1, 2**45),
        "nodes.name": st.sampled_from(["node{index}", "db-{index}.x"]),
        "network.mode": st.sampled_from(["shared", "per-node"]),
        "timeouts.start": seconds,
        "retry": st.fixed_dictionaries({"first": st.floats(0.001, 1), "ceiling": st.floats(1, 9)}),
        "environment": st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), words, max_size=3),
        "tests.args": st.lists(words, max_size=3),
        "templates": st.dictionaries(
            st.sampled_from(["a.json", "b/c.conf"]), st.just("python/node.json.j2"), max_size=2
        ),
        "python.app": st.sampled_from(["a:b", "a.b:c.d", "ä:ö"]),
    },
)  # fmt: skip


@bounded
@given(good, st.booleans())
def test_a_resolved_profile_can_be_written_and_gives_the_same_values(
    tmp_path: Path, overrides: dict[str, object], adapt: bool
) -> None:
    resolved = _load(shipped("profiles") / "dev.toml", overrides=overrides, adapt=adapt)

    # newline="" as the text is: Python would make "\n" of the carriage returns in it.
    (tmp_path / "written.toml").write_text(toml_text(resolved), newline="")
    again = _load(tmp_path / "written.toml", adapt=False)

    assert again.values == resolved.values
    assert again.fingerprint() == resolved.fingerprint()


def test_what_was_adapted_is_written_as_adapted(tmp_path: Path) -> None:
    moved = Machine("CI", 0.01, 2**31, PortRange(10000, 60999))
    resolved = load_profile("ci-large", project=tmp_path, environ={}, machine=moved)
    (tmp_path / "written.toml").write_text(toml_text(resolved))

    again = load_profile(tmp_path / "written.toml", project=tmp_path, environ={}, machine=moved, adapt=False)

    assert again.values == resolved.values


@pytest.mark.parametrize("name", ["dev", "ci-small", "ci-large"])
def test_a_resolved_profile_is_plain_data(name: str) -> None:
    data = load_profile(name, environ={}, machine=HERE).to_json()

    assert json.loads(json.dumps(data)) == data
    assert set(data) >= {"name", "values", "origins", "adaptations", "machine"}
