"""A flame graph: the samples of a node as one picture, an SVG without scripts.

Time does not go from left to right: each box is a function, as wide as the share of samples in
which it was on the stack. What it called stands below it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePath

from clusterlib.messages.observed import Samples, StackFrame

__all__ = ["flame_graph"]

WIDTH, ROW, MARGIN, HEAD = 1200, 20, 16, 64
LETTER = 7.3
"""The width of a letter in a box: more than most have, so that no text leaves its box."""
NARROWEST = 0.5
STYLE = """\
  svg { background: #ffffff; font: 12px system-ui, sans-serif; max-width: 100%; height: auto }
  text { fill: #1b1f24; pointer-events: none }
  .small { fill: #57606a }
  rect { stroke: #ffffff; stroke-width: 1 }
  .thread { fill: #d0d7de } .own { fill: #f5a35c } .library { fill: #9ec5e8 } .ours { fill: #d8dee4 }
  g:hover > rect { stroke: #1b1f24 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 }
    text { fill: #e6edf3 }
    .small { fill: #8b949e }
    rect { stroke: #0d1117 }
    .thread { fill: #373e47 } .own { fill: #9a4f10 } .library { fill: #1f4f7d } .ours { fill: #2b3138 }
    g:hover > rect { stroke: #e6edf3 }
  }
"""
LEGEND = (("own", "code of the project"), ("library", "libraries and Python"), ("ours", "clusterlib"))


class _Box:
    """A function, called by the one above it."""

    def __init__(self, name: str, kind: str, about: str) -> None:
        self.name = name
        self.kind = kind
        self.about = about
        self.count = 0
        self.called: dict[tuple[str, str], _Box] = {}

    def inside(self, name: str, kind: str, about: str) -> _Box:
        return self.called.setdefault((name, about), _Box(name, kind, about))

    @property
    def depth(self) -> int:
        return 1 + max((one.depth for one in self.called.values()), default=0)


def flame_graph(samples: Samples, title: str, own: Sequence[str]) -> str:
    """`own`: the folders with the code of the project."""
    root = _tree(samples, own)
    height = HEAD + max(1, root.depth - 1) * ROW + MARGIN
    share = samples.idle / samples.samples if samples.samples else 0.0
    about = (
        f"The event loop waited for work in {share:.0%} of the samples, which are not shown. "
        f"Sampling took {samples.cost:.1%} of a processor."
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{_text(title)}</title>",
        f"<style>\n{STYLE}</style>",
        f'<text x="{MARGIN}" y="24" font-size="16">{_text(title)}</text>',
        f'<text class="small" x="{MARGIN}" y="46">{_text(about)}</text>',
        *_legend(),
        *_boxes(
            list(root.called.values()), MARGIN, HEAD, (WIDTH - 2 * MARGIN) / max(root.count, 1), root.count
        ),
    ]
    if not root.called:
        lines.append(
            f'<text class="small" x="{MARGIN}" y="{HEAD + 14}">No thread ran code in any sample.</text>'
        )
    return "\n".join([*lines, "</svg>\n"])


def _tree(samples: Samples, own: Sequence[str]) -> _Box:
    root = _Box("", "", "")
    for stack in samples.stacks:
        root.count += stack.count
        box = root.inside(stack.thread, "thread", "a thread")
        box.count += stack.count
        for frame in stack.frames:
            box = box.inside(frame.function, _kind(frame, own), f"{frame.file}:{frame.line}")
            box.count += stack.count
    return root


def _kind(frame: StackFrame, own: Sequence[str]) -> str:
    path = PurePath(frame.file)
    if "site-packages" not in path.parts and any(path.is_relative_to(folder) for folder in own):
        return "own"
    return "ours" if "clusterlib" in path.parts else "library"


def _boxes(boxes: Sequence[_Box], left: float, top: float, scale: float, total: int) -> list[str]:
    """The boxes of one row, by name, each followed by those below it."""
    lines: list[str] = []
    for box in sorted(boxes, key=lambda one: one.name):
        width = box.count * scale
        if width >= NARROWEST:
            title = f"{box.name}: {box.count / total:.1%} ({box.count} samples), {box.about}"
            lines += [
                f"<g><title>{_text(title)}</title>",
                f'<rect class="{box.kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="2"/>',
                *_label(box.name, left, top, width),
                "</g>",
                *_boxes(list(box.called.values()), left, top + ROW, scale, total),
            ]
        left += width
    return lines


def _label(name: str, left: float, top: float, width: float) -> list[str]:
    room = int((width - 8) / LETTER)
    if room < 3:
        return []
    shown = name if len(name) <= room else f"{name[: room - 1]}…"
    return [f'<text x="{left + 4:.1f}" y="{top + 14}">{_text(shown)}</text>']


def _text(text: str) -> str:
    """As XML can have it: without control characters, and halves of characters."""
    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


def _legend() -> list[str]:
    lines: list[str] = []
    x = WIDTH - MARGIN - 150 * len(LEGEND)
    for kind, words in LEGEND:
        lines.append(f'<rect class="{kind}" x="{x}" y="13" width="14" height="14" rx="2"/>')
        lines.append(f'<text class="small" x="{x + 20}" y="24">{words}</text>')
        x += 150
    return lines
