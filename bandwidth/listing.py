"""Listings of entries in files: Python literals as in the original `bandwidths.py`, JSON, or CSV.

A listing is data: a Python one is parsed, and its value taken as a literal; nothing of it is ever executed.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rest_framework.exceptions import ParseError

from bandwidth.serializers import EntrySerializer
from timeseries_project.api.parsers import parse_json
from timeseries_project.api.portions import CSVTable
from timeseries_project.api.serializers import Batch
from timeseries_project.faults import FaultError

VARIABLE = "BANDWIDTHS"


class ListingError(Exception):
    """A listing cannot be read; the message is one line that names the file, the entry and the reason."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read(path: Path) -> dict[str, list[Any]]:
    """Read a listing into columns by field, valid as entries sent to the API are. O(entries).

    Raises ListingError for a file that is not there, of another kind, malformed, or with an invalid entry.
    """
    try:
        parse = _PARSERS.get(path.suffix.lower())
        if parse is None:
            raise ValueError(f"its name must end in {', '.join(_PARSERS)}.")
        items = parse(path.read_bytes())
        if not isinstance(items, list | Batch):
            raise ValueError("it must hold a list of entries.")
        return EntrySerializer.read_batch(items)
    except OSError as error:
        reason = f"{error.strerror}."
    except (FaultError, ParseError) as error:
        reason = str(error.detail)
    except ValueError as error:
        reason = str(error)
    raise ListingError(f"{path}: {reason}")


def python_entries(body: bytes) -> list[tuple[int, object]]:
    """Return the entries of a listing in Python, each with the line that it begins on. O(body).

    The value of its one statement `BANDWIDTHS = [...]`, which a docstring may precede; ValueError if it has none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is no second line on standard error
            statements = ast.parse(body).body
            if statements and isinstance(statements[0], ast.Expr) and _is_text(statements[0].value):
                del statements[0]
            if len(statements) != 1 or not _assigns(statements[0]):
                raise ValueError(f"its one statement must be {VARIABLE} = [...].")
            value: ast.expr = statements[0].value  # type: ignore[attr-defined]
            if not isinstance(value, ast.List):
                _literal(value)
                raise ValueError("it must hold a list of entries.")
            return [(entry.lineno, _literal(entry)) for entry in value.elts]
    except (SyntaxError, MemoryError, RecursionError) as error:
        # The parser reports nesting beyond its stack as any of the three.
        reason = getattr(error, "msg", None) or "it is nested too deeply"
        line = getattr(error, "lineno", None)
        raise ValueError(f"it is no Python literal: {reason}{f' (line {line})' if line else ''}.") from None


def _parse_python(body: bytes) -> object:
    return [entry for _, entry in python_entries(body)]


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:  # a call, a name, an operator; a list as a key
        line = re.search(r"on line [0-9]+", str(error))
        where = f" ({line[0]})" if line else ""
        raise ValueError(f"it holds something else than literals{where}.") from None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _assigns(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == VARIABLE


_PARSERS: dict[str, Callable[[bytes], object]] = {
    ".py": _parse_python,
    ".json": parse_json,
    ".csv": CSVTable,
}
