"""Time series from files: a row each, or a table in long form."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kseq2seq.datasets.files import read_lines

_LONG = ("unique_id", "ds", "y")


def load_series(path: str | Path) -> Any:
    r"""Read time series from a CSV file, plain or ``.gz``.

    Parameters
    ----------
    path : str or path
        Either a table in long form, whose header names ``unique_id``, ``ds`` and ``y``
        (and covariates); or, as the M4 competition has it, a row for each series: its
        name, then its values, rows of unequal length; a first line whose second cell is
        no number is a header.

    Returns
    -------
    dict of str to numpy.ndarray, or DataFrame
        Of rows the values by name, float64 ``(len,)``, in their order; the values of
        such a dict in a list are series for :class:`kseq2seq.SequenceForecaster`. Of a
        table the table, ``ds`` as times or whole numbers (this needs pandas).

    Raises
    ------
    ValueError
        When a cell is no number, or a name comes twice; the message names the line.
    OSError
        When the file cannot be read.
    ImportError
        Without pandas, for a table in long form.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from kseq2seq.datasets import load_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "series.csv"
    ...     _ = path.write_text("V1,V2,V3\nH1,1,2.5\nH2,4,\n")
    ...     load_series(path)
    {'H1': array([1. , 2.5]), 'H2': array([4.])}
    """
    rows = csv.reader(read_lines(path, strip=False))
    header = next(rows, [])
    if set(_LONG) <= {cell.strip() for cell in header}:
        return _read_table(path)
    series: dict[str, np.ndarray] = {}
    for number, row in enumerate([header, *rows] if header else [], 1):
        if not any(row) or (number == 1 and _is_header(row)):
            continue
        name, *cells = row
        while cells and not cells[-1].strip():
            cells.pop()
        if name in series:
            raise ValueError(f"{path}, line {number}: {name!r} comes a second time.")
        series[name] = _numbers(cells, f"{path}, line {number}")
    if not series:
        raise ValueError(f"{path} holds no series.")
    return series


def load_covariates(path: str | Path) -> Any:
    """Read what is known ahead of time series, a table in long form.

    Parameters
    ----------
    path : str or path
        A CSV file, plain or ``.gz``, whose header names ``unique_id``, ``ds`` and the
        covariates.

    Returns
    -------
    DataFrame
        ``ds`` as times or whole numbers; the covariates of
        :meth:`kseq2seq.SequenceForecaster.predict`.

    Raises
    ------
    ValueError
        When a column is missing or a cell is no number; the message names it.
    OSError
        When the file cannot be read.
    ImportError
        Without pandas.
    """
    return _read_table(path, _LONG[:2])


def _is_header(row: list[str]) -> bool:
    """Whether the second cell of a row is no number."""
    try:
        float(row[1])
    except (IndexError, ValueError):
        return True
    return False


def _numbers(cells: list[str], where: str) -> np.ndarray:
    """Return cells as numbers; empty ones are missing."""
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = float(cell) if cell.strip() else np.nan
        except ValueError:
            raise ValueError(
                f"{where}: expected a number in column {i + 2}; got {cell[:40]!r}."
            ) from None
    if not len(values):
        raise ValueError(f"{where}: a series needs values; it has a name alone.")
    return values


def _read_table(path: str | Path, needed: Sequence[str] = _LONG) -> Any:
    """Return a table in long form, its times as times."""
    try:
        import pandas
    except ImportError:
        raise ImportError(
            f"{path} is a table in long form, which is read by pandas: pip install "
            "pandas."
        ) from None
    try:
        table = pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is no table: {error!s:.200}") from None
    table.columns = [str(column).strip() for column in table.columns]
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path} must have the columns {', '.join(needed)}; {missing[0]} is "
            f"missing. It has {', '.join(table.columns)}."
        )
    if not len(table):
        raise ValueError(f"{path} has a header, and no rows.")
    if table["ds"].dtype.kind not in "iu":
        try:
            table["ds"] = pandas.to_datetime(table["ds"])
        except ValueError as error:
            raise ValueError(f"{path}: ds must be times; {error!s:.200}") from None
    for column in table.columns:
        if column not in _LONG[:2] and table[column].dtype.kind not in "biuf":
            odd = pandas.to_numeric(table[column], errors="coerce").isna()
            row = int(np.argmax(odd & table[column].notna()))
            raise ValueError(
                f"{path}, line {row + 2}: {column} must be a number; got "
                f"{table[column].iloc[row]!r:.40}."
            )
    return table
