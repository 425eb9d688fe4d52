from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.policy.arguments import check_schema, valid
from akto_proxy.policy.pattern import PatternError

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0]) | st.text("ab", max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pq"), inner), max_leaves=6
)
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"]),
        "enum": st.lists(st.text("ab", max_size=2), min_size=1, max_size=3),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "minimum": st.integers(-3, 3),
        "maximum": st.integers(-3, 3),
        "minItems": st.integers(0, 2),
        "pattern": st.sampled_from(["^a", "b$", "ab"]),
        "required": st.lists(st.sampled_from("pq"), unique=True),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {}, optional={"properties": st.dictionaries(st.sampled_from("pq"), inner), "items": inner}
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, VALUES)
def test_what_is_checked_is_checked_as_json_schema_says(schema, value):
    check_schema(schema)
    assert valid(schema, value) is jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "schema", [{"oneOf": []}, {"type": "text"}, {"pattern": "(?=a)"}, {"items": {"format": "email"}}, [], {"items": 3}]
)
def test_what_would_not_be_checked_is_refused(schema):
    with pytest.raises(PatternError):
        check_schema(schema)


def test_more_properties_can_be_forbidden():
    schema = {"properties": {"a": {}}, "additionalProperties": False}
    assert valid(schema, {"a": 1})
    assert not valid(schema, {"a": 1, "b": 2})
