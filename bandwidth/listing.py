"""Listings of entries in files: Python literals as in the original `bandwidths.py`, JSON, or CSV.

A listing is data: a Python one is parsed, and its value taken as a literal; nothing of it is ever executed.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rest_framework.exceptions import ParseError

from bandwidth.serializers import EntrySerializer
from timeseries_project.api.parsers import decode_json, parse_csv
from timeseries_project.faults import FaultError

VARIABLE = "BANDWIDTHS"


class ListingError(Exception):
    """A listing cannot be read; the message is one line that names the file, the entry and the reason."""


def read(path: Path) -> dict[str, list[Any]]:
    """Read a listing into columns by field, valid as entries sent to the API are. O(entries).

    Raises ListingError for a file that is not there, of another kind, malformed, or with an invalid entry.
    """
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ListingError(f"{path}: its name must end in {', '.join(_PARSERS)}.")
    try:
        items = parse(path.read_bytes())
        if not isinstance(items, list):
            raise ValueError("it must hold a list of entries.")
        return EntrySerializer.read_batch(items)
    except OSError as error:
        raise ListingError(f"{path}: {error.strerror}.") from None
    except FaultError as error:
        raise ListingError(f"{path}: {_one_line(error.detail)}") from None
    except ParseError as error:
        raise ListingError(f"{path}: {_one_line(str(error.detail))}") from None
    except ValueError as error:
        raise ListingError(f"{path}: {_one_line(str(error))}") from None


def _parse_python(body: bytes) -> object:
    """Return the value of the one statement `BANDWIDTHS = [...]`, which a docstring may precede."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is no second line on standard error
            statements = ast.parse(body).body
            if statements and isinstance(statements[0], ast.Expr) and _is_text(statements[0].value):
                del statements[0]
            if len(statements) != 1 or not _assigns(statements[0]):
                raise ValueError(f"its one statement must be {VARIABLE} = [...].")
            return ast.literal_eval(statements[0].value)  # type: ignore[attr-defined]
    except (SyntaxError, MemoryError, RecursionError) as error:
        # The parser reports nesting beyond its stack as any of the three.
        reason = getattr(error, "msg", None) or "it is nested too deeply"
        line = getattr(error, "lineno", None)
        raise ValueError(f"it is no Python literal: {reason}{f' (line {line})' if line else ''}.") from None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _assigns(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == VARIABLE


def _parse_csv(body: bytes) -> object:
    return parse_csv(body, tuple(EntrySerializer.wire_fields()))


_PARSERS: dict[str, Callable[[bytes], object]] = {
    ".py": _parse_python,
    ".json": decode_json,
    ".csv": _parse_csv,
}


def _one_line(text: str) -> str:
    return " ".join(text.split())
