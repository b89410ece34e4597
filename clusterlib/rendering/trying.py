"""The program that tries templates within limits.

It reads the trials from stdin and writes a line for each."""

from __future__ import annotations

import json
import sys

from clusterlib.rendering.checking import answer_of

__all__ = ["main"]


def main() -> None:
    for line in answer_of(json.load(sys.stdin)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
