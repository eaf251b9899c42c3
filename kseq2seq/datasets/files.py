"""Pairs from text files."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kseq2seq.datasets.columns import (
    Columns,
    check_columns,
    exact_columns,
    separates_features,
    take_columns,
    take_features,
)
from kseq2seq.datasets.pairs import Pairs

_LONGEST_LINE = 2**26
"""Bytes: what has no end of a line, such as a device, would fill the memory."""


def load_pairs(
    path: str | Path,
    target_path: str | Path | None = None,
    *,
    columns: Columns | None = None,
    features: str | None = None,
) -> Pairs:
    r"""Read pairs from a TSV file, or from two parallel files.

    Files are UTF-8, plain or gzip-compressed (``.gz``); a byte-order mark and Windows
    line ends are fine. Spaces around a text are stripped.

    Parameters
    ----------
    path : str or path
        Lines of source TAB target; with `target_path`, lines of sources.
    target_path : str or path, optional
        Lines of targets, as many as there are sources.
    columns : pair of int or str, optional
        Where a TSV file has more columns: those of source and target, by number from 1,
        or by name; with a name, the first line is the header. With `features` three.
    features : str, optional
        What separates the features of a source in a third column, such as ``";"``. The
        sources are then pairs ``(source, features)``, which estimators take as X.

    Returns
    -------
    sources, targets : lists of str

    Raises
    ------
    ValueError
        When a line has another number of tabs than one, or two with `features`, and no
        columns are chosen, or lacks a column that is chosen; when it is not UTF-8, or
        the two files differ in length; the message names the file and the line.
    TypeError
        When an argument is of another type, or columns are given for two files.
    OSError
        When a file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from kseq2seq.datasets import load_pairs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.tsv"
    ...     _ = path.write_text("one\t1\ntwo\t2\n")
    ...     load_pairs(path)
    (['one', 'two'], ['1', '2'])

    Of a wider file some columns, by the names in its header:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "table.tsv"
    ...     _ = path.write_text("id\tdigits\twords\n7\t12\tone two\n")
    ...     load_pairs(path, columns=("words", "digits"))
    (['one two'], ['12'])

    And sources with features:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "forms.tsv"
    ...     _ = path.write_text("gehen\tging\tV;PST;3\n")
    ...     load_pairs(path, features=";")
    ([('gehen', ['V', 'PST', '3'])], ['ging'])
    """
    if features is not None and not separates_features(features):
        raise TypeError(
            "features must be what separates features in their column, such as ';'; "
            f"got {features!r}."
        )
    if target_path is None:
        return _read_tsv(path, columns, features)
    for name, given in (("columns", columns), ("features", features)):
        if given is not None:
            raise TypeError(
                f"{name} are those of one TSV file, and with target_path each file has "
                f"one; got {given!r:.60}. Leave out one of the two."
            )
    sources, targets = list(read_lines(path)), list(read_lines(target_path))
    if len(sources) != len(targets):
        shorter, longer = sorted((len(sources), len(targets)))
        raise ValueError(
            f"parallel files must have as many lines; {path} has {len(sources)} and "
            f"{target_path} has {len(targets)}: line {shorter + 1} of {longer} has no "
            "partner."
        )
    return sources, targets


def _read_tsv(path: str | Path, columns: Columns | None, features: str | None) -> Pairs:
    lines = read_lines(path, strip=False)
    if columns is None:
        expected = "source TAB target" + " TAB features" * (features is not None)
        lines = exact_columns(lines, expected, str(path))
        columns = range(1, 2 + expected.count("TAB"))
    else:
        columns = check_columns(columns, 2 if features is None else 3)
    sources: list[Any] = []
    targets = []
    for source, target, *more in take_columns(lines, columns, str(path)):
        listed = [take_features(text, features or "") for text in more]
        sources.append((source, *listed) if listed else source)
        targets.append(target)
    return sources, targets


def read_lines(path: str | Path, *, strip: bool = True) -> Iterator[str]:
    """Yield a text file's lines, plain or ``.gz``, without their ends.

    Parameters
    ----------
    path : str or path
    strip : bool, default True
        Whether spaces around a line go as well.

    Raises
    ------
    ValueError
        When a line is not UTF-8, a ``.gz`` file is not gzip, or its lines end with
        carriage returns alone; the message names the file and the line.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a file's path; got {path!r}.")
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            yield from decode_lines(file, str(path), strip=strip)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path} is not a whole gzip file: {error}. Copy it again, or drop the .gz "
            "from its name."
        ) from error


def decode_lines(
    file: BinaryIO | gzip.GzipFile, name: str, *, strip: bool = True
) -> Iterator[str]:
    """Yield the lines of an open binary file, as :func:`read_lines` does.

    Parameters
    ----------
    file : binary file
    name : str
        What to call the file in an error.
    strip : bool, default True
        Whether spaces around a line go as well.
    """
    line, number = "", 0
    for number, raw in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), 1):
        if len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
            raise ValueError(
                f"{name}, line {number}: has {_LONGEST_LINE:,} bytes and more; "
                "expected lines of text. Is it the right file?"
            )
        line = _decode(raw, name, number).rstrip("\r\n")
        if number == 1 and "\r" in line and not raw.endswith(b"\n"):
            raise _of_old_macs(name)
        yield line.strip() if strip else line
    if number == 1 and "\r" in line:  # the only newline is that at the end
        raise _of_old_macs(name)


def _of_old_macs(name: str) -> ValueError:
    return ValueError(
        f"{name}: its lines end with carriage returns alone, as on old Macs; "
        "expected newlines. Convert it: tr '\\r' '\\n' < old > new."
    )


def _decode(raw: bytes, name: str, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {number}: expected UTF-8; got byte 0x{raw[error.start]:02x} "
            f"at position {error.start + 1}. Save the file as UTF-8."
        ) from None
