"""Some columns of lines that TABs divide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kseq2seq.arguments import check_whole, nearest, quoted_choices, shown

Columns = Sequence[int | str]
"""Which columns: by number from 1, or by name in the header."""
_OTHER_MARKS = {",": "commas", ";": "semicolons"}
_NAMES_SHOWN = 20
"""So many names of a header an error lists at most."""


def check_columns(columns: Any, number: int) -> Columns:
    """Return the columns as a tuple, or raise unless they are this many.

    Raises
    ------
    ValueError, TypeError
        When they are not numbers from 1 or names.
    """
    if not isinstance(columns, list | tuple) or len(columns) != number:
        raise TypeError(
            f"columns must be a list of {number}, each a number from 1 or a name in "
            f"the header; got {shown(columns)}."
        )
    for column in columns:
        if not isinstance(column, str):
            check_whole("columns", column)
    return tuple(columns)


def has_header(columns: Columns | None) -> bool:
    """Whether the first line is a header: where a column is named."""
    return any(isinstance(column, str) for column in columns or ())


def take_columns(
    lines: Iterable[str], columns: Columns, name: str
) -> Iterator[list[str]]:
    r"""Yield the texts of some columns of each line, without spaces around them.

    Parameters
    ----------
    lines : iterable of str
    columns : sequence of int or str
        Numbers from 1, or names; where there is a name the first line is a header, and
        nothing is yielded for it.
    name : str
        What to call the file in an error.

    Raises
    ------
    ValueError
        When the header lacks a name or has it twice, or a line is too short; the
        message names the line.

    Examples
    --------
    >>> from kseq2seq.datasets import take_columns
    >>> lines = ["id\ten\tde", "1\tone\teins"]
    >>> list(take_columns(lines, ("en", "de"), "words.tsv"))
    [['one', 'eins']]
    """
    numbered = enumerate(lines, 1)
    if has_header(columns):
        _, header = next(numbered, (1, None))
        if header is None:
            raise ValueError(f"{name} is empty; expected a header with {columns!r}.")
        columns = [_number(column, header, f"{name}, line 1") for column in columns]
    numbers = [int(column) for column in columns]
    for number, line in numbered:
        texts = line.split("\t")
        if len(texts) < max(numbers):
            raise ValueError(
                f"{name}, line {number}: expected {max(numbers)} columns with a TAB "
                f"between them, or more; got {len(texts)} in {line[:60]!r}."
                f"{hint_at_marks(line, number)}"
            )
        yield [texts[column - 1].strip() for column in numbers]


def exact_columns(lines: Iterable[str], expected: str, name: str) -> Iterator[str]:
    """Yield lines that have as many TABs as what is expected of them, or raise.

    Parameters
    ----------
    lines : iterable of str
    expected : str
        What a line has, as ``"source TAB target"``.
    name : str
        What to call the file in an error.
    """
    most = expected.count("TAB")
    for number, line in enumerate(lines, 1):
        tabs = line.count("\t")
        if tabs != most:
            hint = _choose(expected) if tabs > most else hint_at_marks(line, number)
            raise ValueError(
                f"{name}, line {number}: expected {expected}; got {tabs} "
                f"tab{'s' * (tabs != 1)} in {line[:60]!r}.{hint}"
            )
        yield line


def _choose(expected: str) -> str:
    """Return what to do where there are more columns than are read."""
    read = expected.split(" TAB ")
    numbers = [str(1 + i) for i in range(len(read))]
    if "target" not in read:
        numbers[1:] = ["3"]  # behind the target of training
    choose = (
        f" Choose those to read, such as columns=({', '.join(numbers)}) (--columns "
        f"{','.join(numbers)})"
    )
    if "features" in read:
        return f"{choose}."
    return (
        f"{choose}; of a third with features say what separates these (features=';', "
        "--features ';')."
    )


def separates_features(separator: Any) -> bool:
    """Whether a column of features can hold what shall separate them."""
    return isinstance(separator, str) and separator.strip("\t\r\n") == separator != ""


def take_features(text: str, separator: str) -> list[str]:
    """Return the features of a column, without spaces around them and empty ones."""
    parts = (part.strip() for part in text.split(separator))
    return [part for part in parts if part]


def _number(column: int | str, header: str, place: str) -> int:
    """Return the number of a column, which may be a name of the header."""
    if not isinstance(column, str):
        return column
    names = [text.strip() for text in header.split("\t")]
    if names.count(column) == 1:
        return names.index(column) + 1
    if column in names:
        raise ValueError(
            f"{place}: the header has the column {column!r} more than once; choose by "
            "number."
        )
    listed = quoted_choices(name[:60] for name in names[:_NAMES_SHOWN])
    raise ValueError(
        f"{place}: the header has no column {column!r}; expected {listed}."
        f"{nearest(column, names)}{hint_at_marks(header, 1)}"
    )


def hint_at_marks(line: str, number: int) -> str:
    """Return what to do where the first line has other marks than TABs, or nothing."""
    if number == 1 and "\t" not in line:
        for mark, called in _OTHER_MARKS.items():
            if mark in line:
                return f" If {called} divide its columns, save it with TABs instead."
    return ""
