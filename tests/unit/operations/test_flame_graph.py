"""Samples become a picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.messages.observed import SampledStack, Samples, StackFrame
from clusterlib.operations.flame_graph import flame_graph

SVG = "{http://www.w3.org/2000/svg}"


def frame(function: str, file: str = "/shop/shop.py") -> StackFrame:
    return StackFrame(function, file, 1)


def boxes(picture: str) -> dict[str, tuple[str, float]]:
    """The class and the width of each box, by the name in its tooltip."""
    found = {}
    for group in ET.fromstring(picture).iter(f"{SVG}g"):
        title, box = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert box is not None
        found[str(title.text).rpartition(": ")[0].partition(": ")[0]] = (
            box.attrib["class"],
            float(box.attrib["width"]),
        )
    return found


def test_a_box_is_as_wide_as_its_share_and_coloured_by_whose_code_it_is() -> None:
    stacks = (
        SampledStack("event loop", (frame("serve"), frame("dumps", "/usr/lib/python3/json.py")), 3),
        SampledStack("event loop", (frame("serve"),), 1),
    )

    drawn = boxes(flame_graph(Samples(1.0, 10, 6, 0.001, stacks), "node1", ["/shop"]))

    assert drawn["serve"][0] == "own"
    assert drawn["dumps"][0] == "library"
    assert drawn["dumps"][1] / drawn["serve"][1] == 0.75
    assert drawn["event loop"] == ("thread", drawn["serve"][1])


def test_nothing_but_waiting_says_so() -> None:
    assert "No thread ran code" in flame_graph(Samples(1.0, 10, 10, 0.0, ()), "node1", [])
    assert "No thread ran code" in flame_graph(Samples(0.0, 0, 0, 0.0, ()), "node1", [])


NAMES = st.text(max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=4), st.integers(1, 1000)), max_size=5), NAMES)
def test_any_samples_are_drawn_within_the_picture(
    stacks: list[tuple[str, list[str], int]], title: str
) -> None:
    taken = tuple(
        SampledStack(thread, tuple(frame(one, f"/shop/{one}") for one in names), count)
        for thread, names, count in stacks
    )

    root = ET.fromstring(flame_graph(Samples(1.0, 1, 0, 0.0, taken), title, []))

    height = float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.attrib["x"]) <= 1200
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= 1200
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height
