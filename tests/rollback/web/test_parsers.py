"""JSON from outside is bounded before anything is built from it."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from rollback.web.parsers import json_depth, storable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def depth_of(value: object) -> int:
    """The definition: how many containers lie around the deepest one, itself included."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(JSON)
def test_the_depth_is_known_without_parsing(value: object) -> None:
    assert json_depth(json.dumps(value).encode()) == depth_of(value)
    assert json_depth(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == depth_of(value)


@given(st.binary())
def test_the_depth_of_anything_is_a_number(body: bytes) -> None:
    assert 0 <= json_depth(body) <= len(body)


def test_no_input_makes_the_depth_take_long() -> None:
    began = time.monotonic()
    for hostile in (b'"' + b'\\"' * 500_000, b"[" * 1_000_000, b'"' * 1_000_000, b"\\" * 1_000_000, b'{"' * 400_000):
        json_depth(hostile)

    assert time.monotonic() - began < 10


@given(JSON)
def test_what_is_storable_already_stays_as_it_is(value: object) -> None:
    cleaned = storable(value)

    assert storable(cleaned) == cleaned
    if b"\\u0000" not in (text := json.dumps(value).encode()) and b"\\ud" not in text:
        assert cleaned == value
