"""The External Term Format, which Erlang's `term_to_binary` writes and `binary_to_term` reads.

Both directions work in one loop without recursion, so no permitted nesting can overflow a stack,
and deeper nesting is an error. Large binaries are not copied when they are sent, and once when they
are received."""

from __future__ import annotations

from clusterlib.drivers.beam.reading import LARGEST, decode, decode_at, decode_from
from clusterlib.drivers.beam.writing import DEEPEST, VERSION, Part, encode, encode_parts

__all__ = [
    "DEEPEST",
    "LARGEST",
    "VERSION",
    "Part",
    "decode",
    "decode_at",
    "decode_from",
    "encode",
    "encode_parts",
]
