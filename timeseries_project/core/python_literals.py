"""Python files that hold data: one list of literals, which is parsed and never executed."""

from __future__ import annotations

import ast
import re
import warnings


def literal_list(body: bytes, variable: str) -> list[tuple[int, object]]:
    """Return the items, each with its line number, of a file whose only statement is `variable = [...]`.

    A docstring may precede the statement. Raises ValueError, with a sentence, for anything else. O(body).

    >>> literal_list(b"'''Primes.'''\\nP = [2,\\n 3]", "P")
    [(2, 2), (3, 3)]
    >>> literal_list(b"P = [\\n print(1)]", "P")
    Traceback (most recent call last):
    ValueError: it holds something other than literals (on line 2).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in strings must not print a second line on standard error
            statements = ast.parse(body).body
            if statements and isinstance(statements[0], ast.Expr) and _is_text(statements[0].value):
                del statements[0]
            if len(statements) != 1 or not _assigns(statements[0], variable):
                raise ValueError(f"its one statement must be {variable} = [...].")
            value: ast.expr = statements[0].value  # type: ignore[attr-defined]
            if not isinstance(value, ast.List):
                _literal(value)
                raise ValueError("it must hold a list of entries.")
            return [(entry.lineno, _literal(entry)) for entry in value.elts]
    except (SyntaxError, MemoryError, RecursionError) as error:
        # The parser raises any of the three for nesting that exceeds its stack.
        reason = getattr(error, "msg", None) or "it is nested too deeply"
        line = getattr(error, "lineno", None)
        raise ValueError(f"it is not a Python literal: {reason}{f' (line {line})' if line else ''}.") from None


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:  # a call, a name, an operator; a list as a key
        line = re.search(r"on line [0-9]+", str(error))
        where = f" ({line[0]})" if line else ""
        raise ValueError(f"it holds something other than literals{where}.") from None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _assigns(statement: ast.stmt, variable: str) -> bool:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == variable
