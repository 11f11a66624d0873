"""Generated records: JSON of every shape, and bytes that are nearly JSON."""

from __future__ import annotations

import json
from typing import Final

from hypothesis import strategies as st

from worker.codec import JsonCodec
from worker.model.schema import Feature, FeatureSchema, Watched

SCHEMA: Final = FeatureSchema(
    features=(
        Feature(path="a", kind="number"),
        Feature(path="n.b", kind="number", absent=("-",)),
        Feature(path="n.on", kind="boolean"),
        Feature(path="s", kind="category", categories=("x", "é", "1", "true"), absent=("",)),
    ),
    watched=(Watched(path="v", value="1.2"), Watched(path="n.w", value=4)),
)
"""One that the compiled reader takes, with every kind of feature, nested and not."""

NAMES: Final = ("a", "n", "b", "on", "s", "v", "w", "z", "é", 'q"', "")

integers = st.integers() | st.integers(-(10**400), 10**400) | st.sampled_from([2**63, 2**64])
number_texts = (
    integers.map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(["1e400", "-1e400", "1E5", "-0", "0.1e-400", "9" * 5000, "01", "1.", "NaN"])
)
string_texts = st.text().map(json.dumps) | st.sampled_from(
    ['"x"', '"1.2"', '"-"', '""', '"\\ud800"', '"\\u0078"', '"é"', '"true"', '"[[{"', '"\x01"']
)
scalar_texts = st.sampled_from(["null", "true", "false"]) | number_texts | string_texts


def _array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in members) + "}"


def _objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects in which a name may stand twice."""
    return st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8).map(_object)


json_texts = st.recursive(
    scalar_texts,
    lambda inner: st.lists(inner, max_size=3).map(_array) | _objects(inner),
    max_leaves=12,
)

typical = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "n": st.fixed_dictionaries(
            {}, optional={"b": st.floats(-9, 9), "on": st.booleans(), "w": st.sampled_from([4, 5])}
        ),
        "s": st.sampled_from(["x", "1", "new"]),
        "v": st.sampled_from(["1.2", "1.3", 1.2]),
        "z": st.lists(st.integers(), max_size=3),
    },
).map(json.dumps)
"""Records as the schema expects them, with members left out."""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A record in which some bytes are others, gone, or too many."""
    value = bytearray(draw(typical | _objects(json_texts)).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(value)


values = (
    st.none()
    | st.binary(max_size=40)
    | typical.map(str.encode)
    | _objects(json_texts).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | mutated()
    | mutated().map(lambda value: b"\x00\x00\x00\x00\x01" + value)
)
"""What may stand on a topic."""


def codec(missing_share_max: float = 1.0) -> JsonCodec:
    """A codec with limits that generated records reach."""
    return JsonCodec(record_bytes_max=6000, depth_max=5, missing_share_max=missing_share_max)
