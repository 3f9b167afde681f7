"""Templates: resolved once; what an agent reported is data and never becomes a template or a secret."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.catalog.templates import REDACTED, parse, render_secrets, resolve, resolve_path, secret_names
from rollback.errors import Invalid

ODD_TEXT = st.text() | st.sampled_from(["${secret.token}", "$${secret.token}", "${1}", "$", "${", "}", "../../admin"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def look_up(name: str) -> str:
    return f"<the secret {name}>"


def sent(template: Any, **variables: Any) -> Any:
    """What goes out in the end."""
    resolved = resolve(template, variables)
    assert resolved.problems == []
    return render_secrets(resolved.value, look_up)


def test_text_around_an_expression_stays() -> None:
    assert sent("/users/${output.id}/x", output={"id": 7}) == "/users/7/x"


def test_exactly_one_expression_keeps_its_type() -> None:
    assert sent({"spec": "${output.previous}"}, output={"previous": {"n": [1, 2]}}) == {"spec": {"n": [1, 2]}}


def test_braces_inside_an_expression_do_not_end_it() -> None:
    assert sent("${ {'a': 1}.a }-${'}'}") == "1-}"


def test_an_escaped_template_is_text() -> None:
    assert sent("costs $${amount}") == "costs ${amount}"


def test_a_secret_stays_a_reference_until_it_is_sent() -> None:
    resolved = resolve("Bearer ${secret.directory_token}", {})

    assert resolved.value == "Bearer ${secret.directory_token}"
    assert secret_names(resolved.value) == {"directory_token"}
    assert render_secrets(resolved.value, look_up) == "Bearer <the secret directory_token>"


@pytest.mark.parametrize("template", ["${secret.a + 'x'}", "${secret}", "${[secret.a]}"])
def test_security_a_secret_inside_an_expression_is_refused(template: str) -> None:
    with pytest.raises(Invalid):
        parse(template)


@pytest.mark.parametrize("template", ["${output.id", "a ${", "${}", "${1 +}"])
def test_what_is_not_well_formed_is_refused(template: str) -> None:
    with pytest.raises(Invalid):
        parse(template)


@pytest.mark.parametrize(
    ("template", "output"), [("${output.id}", {}), ("x${output.id}", {"id": None}), ("${output.id}", {"id": REDACTED})]
)
def test_a_reference_that_does_not_resolve_is_a_problem_with_its_place(template: str, output: dict[str, Any]) -> None:
    resolved = resolve({"body": {"user": template}}, {"output": output}, "/request")

    assert [problem.pointer for problem in resolved.problems] == ["/request/body/user"]
    assert "output.id" in resolved.problems[0].message or "id" in resolved.problems[0].message


@given(VALUES.filter(lambda value: value is not None))
def test_security_what_an_agent_reported_is_sent_as_it_is_whatever_it_looks_like(value: Any) -> None:
    assert sent({"body": "${output.value}"}, output={"value": value}) == {"body": value}


@given(ODD_TEXT)
def test_security_reported_text_never_becomes_a_reference_to_a_secret(text: str) -> None:
    resolved = resolve(["note: ${output.text}", "${output.text}", {"deep": "${output}"}], {"output": {"text": text}})

    assert secret_names(resolved.value) == set()


@given(st.text(min_size=1))
def test_security_a_value_in_a_path_stays_in_its_segment(text: str) -> None:
    resolved = resolve_path("/users/${output.id}/keys", {"output": {"id": text}})

    if resolved.problems:
        assert text in (".", "..")
    else:
        path = render_secrets(resolved.value, look_up)
        assert path.count("/") == 3
        assert "?" not in path
        assert "#" not in path
        assert unquote(path.split("/")[2], errors="surrogatepass") == text


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_security_a_dot_segment_is_a_problem(text: str) -> None:
    assert resolve_path("/users/${output.id}", {"output": {"id": text}}).problems
