"""The one expression language: CEL, bounded before it runs.

The engine (``common-expression-language``) cannot be interrupted, and its ``map`` costs the square of the
list's length. So what could run long is refused when it is written: length, nesting, number of macros and
macros inside macros; and lists that are handed to a macro are limited in size.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel

from rollback.errors import Invalid

MAX_LENGTH = 1_000
MAX_DEPTH = 20
MAX_MACROS = 5
MAX_LIST = 1_000
_MACRO = re.compile(r"\.\s*(map|filter|all|exists|exists_one)\s*$")
_STRING = re.compile(r"""[rR]?("(\\.|[^"\\])*"|'(\\.|[^'\\])*')""")


class ExpressionError(Exception):
    """The expression could not be evaluated with these values: a missing key, or types that do not fit."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression; ``variables`` are the names that it refers to."""

    source: str
    variables: frozenset[str]
    has_macros: bool
    _program: Any

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """The value with ``variables`` (JSON-like data). Raises ``ExpressionError`` when there is none."""
        used = {name: variables[name] for name in self.variables if name in variables}
        if self.has_macros and (longest := _longest_list(used)) > MAX_LIST:
            raise ExpressionError(f"a list of {longest} is too long for {self.source!r}: at most {MAX_LIST}")
        try:
            return self._program.execute(used)
        except KeyError as error:
            raise ExpressionError(f"{self.source}: there is no {str(error).strip(chr(34)).strip(chr(39))}") from error
        except (IndexError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
            raise ExpressionError(f"{self.source}: {error}") from error


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """``source`` compiled. Raises ``Invalid`` when it is no CEL, or too large to be sure that it ends soon."""
    macros = _check_bounds(source)
    try:
        program = cel.compile(source)
    except (ValueError, TypeError, RuntimeError) as error:
        raise Invalid(f"{source!r} is not a CEL expression: {_first_line(error)}", "invalid-expression") from error
    return Expression(source, frozenset(program.variables()), macros > 0, program)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]


def _check_bounds(source: str) -> int:
    """Refuse what could run long; answers the number of macros."""
    if not source.strip():
        raise Invalid("an expression must not be empty", "invalid-expression")
    if len(source) > MAX_LENGTH:
        raise Invalid(f"an expression has at most {MAX_LENGTH} characters", "invalid-expression")
    bare = _STRING.sub("''", source)
    macros = 0
    open_brackets: list[bool] = []
    for at, character in enumerate(bare):
        if character in "([{":
            macro = character == "(" and _MACRO.search(bare[:at]) is not None
            if macro and any(open_brackets):
                raise Invalid("a macro (map, filter, all, exists) must not stand inside another", "invalid-expression")
            macros += macro
            open_brackets.append(macro)
        elif character in ")]}" and open_brackets:
            open_brackets.pop()
        if len(open_brackets) > MAX_DEPTH:
            raise Invalid(f"brackets are nested more than {MAX_DEPTH} deep", "invalid-expression")
    if macros > MAX_MACROS:
        raise Invalid(f"an expression has at most {MAX_MACROS} macros", "invalid-expression")
    return macros


def _longest_list(value: Any) -> int:
    if isinstance(value, Mapping):
        return max((len(value), *map(_longest_list, value.values())), default=0)
    if isinstance(value, list):
        return max((len(value), *map(_longest_list, value)), default=0)
    return 0
