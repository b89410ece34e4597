"""The picture in the documentation is what the program draws."""

from __future__ import annotations

from pathlib import Path

from clusterlib.messages.observed import SampledStack, Samples, StackFrame
from clusterlib.operations.flame_graph import flame_graph

PICTURE = Path(__file__).parents[2] / "docs" / "flame.svg"
OWN, LIBRARY = "/home/ann/shop/shop.py", "/usr/lib/python3.11/json/__init__.py"
STACKS = {
    "event loop": {
        "serve": 4,
        "serve place_order": 22,
        "serve place_order dumps": 31,
        "serve place_order dumps JSONEncoder.encode": 57,
        "serve place_order price": 84,
        "serve stock": 18,
        "serve stock loads": 46,
    },
    "node1 call 1": {"report": 12, "report total": 61, "report total price": 29},
}


def drawn() -> str:
    stacks = tuple(
        SampledStack(thread, tuple(_frame(name) for name in names.split()), count)
        for thread, counts in STACKS.items()
        for names, count in counts.items()
    )
    return flame_graph(
        Samples(5.0, 487, 225, 0.004, stacks), "node1 of cluster shop: 5 s, 487 samples", ["/home/ann/shop"]
    )


def _frame(name: str) -> StackFrame:
    of_json = name in {"dumps", "loads", "JSONEncoder.encode"}
    return StackFrame(name, LIBRARY if of_json else OWN, 10)


def test_the_picture_in_the_documentation_is_what_the_program_draws() -> None:
    """`python -m tests.docs.test_flame_graph` draws it again."""
    assert PICTURE.read_text("utf-8") == drawn()


if __name__ == "__main__":
    PICTURE.write_text(drawn(), "utf-8")
