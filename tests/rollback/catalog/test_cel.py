"""CEL, bounded: SECURITY.md, "a workflow file: an expression that never ends"."""

import pytest

from rollback.catalog.cel import MAX_LIST, ExpressionError, compile_expression
from rollback.errors import Invalid


@pytest.mark.parametrize(
    ("source", "variables", "value"),
    [
        ("input.amount > 500", {"input": {"amount": 501}}, True),
        ("input.amount > 500", {"input": {"amount": 499.5}}, False),
        ("has(input.admin) && input.admin == true", {"input": {}}, False),
        ("response.status in [200, 204, 404]", {"response": {"status": 404}}, True),
        ("size(input.records) > 2", {"input": {"records": [1, 2, 3]}}, True),
        ("input.names.exists(n, n == 'root')", {"input": {"names": ["a", "root"]}}, True),
    ],
)
def test_an_expression_is_evaluated(source: str, variables: dict[str, object], value: object) -> None:
    assert compile_expression(source).evaluate(variables) == value


def test_an_expression_names_what_it_refers_to() -> None:
    assert compile_expression("input.a == output.b").variables == {"input", "output"}


@pytest.mark.parametrize("source", ["", "  ", "1 +", "input.amount >", "((1)", "nonsense here"])
def test_what_is_no_expression_is_refused_when_it_is_written(source: str) -> None:
    with pytest.raises(Invalid):
        compile_expression(source)


@pytest.mark.parametrize(
    "source",
    [
        "l.map(x, l.map(y, x * y))",
        "l.filter(x, l.exists(y, y == x))",
        " || ".join(["l.all(x, x > 0)"] * 6),
        "(" * 30 + "1" + ")" * 30,
        "1 + " * 400 + "1",
    ],
)
def test_security_an_expression_that_could_run_long_is_refused_when_it_is_written(source: str) -> None:
    with pytest.raises(Invalid):
        compile_expression(source)


def test_security_a_long_list_is_not_handed_to_a_macro() -> None:
    with pytest.raises(ExpressionError, match="too long"):
        compile_expression("input.l.map(x, x)").evaluate({"input": {"l": list(range(MAX_LIST + 1))}})


def test_a_macro_inside_a_string_is_only_text() -> None:
    assert compile_expression("input.a == 'l.map(x, l.map(y, y))'").evaluate({"input": {"a": "b"}}) is False


@pytest.mark.parametrize(
    ("source", "variables", "words"),
    [
        ("output.id", {"output": {}}, "id"),
        ("output.id", {"output": None}, "output.id"),
        ("input.a > 1", {"input": {"a": "text"}}, "input.a"),
        ("1 / input.zero", {"input": {"zero": 0}}, "zero"),
    ],
)
def test_what_cannot_be_evaluated_says_so(source: str, variables: dict[str, object], words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        compile_expression(source).evaluate(variables)


def test_security_an_expression_reaches_nothing_but_what_it_is_given() -> None:
    for name in ("settings", "__import__", "open", "secret", "os"):
        with pytest.raises(ExpressionError):
            compile_expression(f"{name}.x").evaluate({"input": {}})


@pytest.mark.parametrize("source", ["output.items[0].id == 'x'", "output.items[-1].id == 'x'"])
def test_a_place_in_a_list_that_is_not_there_is_an_error_like_any_other(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source).evaluate({"output": {"items": []}})
