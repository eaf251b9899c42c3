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
        no number is a header, and is left out.

    Returns
    -------
    dict of str to numpy.ndarray, or DataFrame
        Of rows the values by name, float64 ``(len,)``, in their order; the values of
        such a dict in a list are series for :class:`kseq2seq.SequenceForecaster`. Of a
        table the table, ``unique_id`` as texts, ``ds`` as times (ISO 8601) or whole
        numbers (this needs pandas).

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
    _check_commas(path, header)
    if {cell.strip().lower() for cell in header} & {"unique_id", "ds"}:
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


def _check_commas(path: str | Path, header: list[str]) -> None:
    """Raise where the first line has other separators than commas."""
    odd = next((sign for sign in ";\t" if len(header) == 1 and sign in header[0]), None)
    if odd is not None:
        raise ValueError(
            f"{path} must have commas between its columns, and points in its numbers; "
            f"its first line has {odd!r}: {header[0][:60]!r}."
        )


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
        table = pandas.read_csv(
            path, skip_blank_lines=False, converters={"unique_id": str.strip}
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8: {error!s:.100}") from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is no table: {error!s:.200}") from None
    table.columns = [str(column).strip() for column in table.columns]
    unnamed = [column for column in table.columns if column.startswith("Unnamed:")]
    table = table.drop(columns=unnamed)  # an index that was written, too
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path} must have the columns {', '.join(needed)}; {missing[0]} is "
            f"missing. It has {', '.join(table.columns)}."
        )
    table["unique_id"] = table["unique_id"].fillna("")
    blank = table.drop(columns="unique_id").isna().all(axis=1)
    table = table[~(blank & (table["unique_id"] == ""))]  # lines keep their numbers
    if not len(table):
        raise ValueError(f"{path} has a header, and no rows.")
    for column, empty in (
        ("unique_id", table["unique_id"] == ""),
        ("ds", table["ds"].isna()),
    ):
        if empty.any():
            raise ValueError(
                f"{path}, line {table.index[empty][0] + 2}: {column} is empty."
            )
    if table["ds"].dtype.kind not in "iu":
        try:
            table["ds"] = pandas.to_datetime(table["ds"], format="ISO8601")
        except (TypeError, ValueError):
            times = pandas.to_datetime(table["ds"], format="ISO8601", errors="coerce")
            line = int(table.index[times.isna()][0]) if times.isna().any() else 0
            raise ValueError(
                f"{path}, line {line + 2}: ds must be a whole number, or a time as ISO "
                "8601 writes it, such as 2024-01-31 or 2024-01-31 18:00, all with or "
                f"all without their distance from UTC; got {table['ds'][line]!r}."
            ) from None
    for column in table.columns:
        if column not in _LONG[:2] and table[column].dtype.kind not in "biuf":
            odd = pandas.to_numeric(table[column], errors="coerce").isna()
            line = int(np.argmax(odd & table[column].notna()))
            raise ValueError(
                f"{path}, line {table.index[line] + 2}: {column} must be a number; got "
                f"{table[column].iloc[line]!r:.40}."
            )
    return table.reset_index(drop=True)
