"""Time series from files: a row each, or a table in long form."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
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
    rows = _rows(path)
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


def _rows(path: str | Path) -> Iterator[list[str]]:
    """Yield the cells of each line."""
    reader = csv.reader(read_lines(path, strip=False))
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}.") from None


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
    try:  # as texts, for names such as 007 and NA
        table = pandas.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False
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
    names = [name.strip() for name in next(_rows(path))]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{path} must have each column once; {twice!r} comes twice.")
    table = table.fillna("").apply(lambda column: column.str.strip())
    table.index += 2  # the numbers of the lines
    table = table[(table != "").any(axis=1)]
    if not len(table):
        raise ValueError(f"{path} has a header, and no rows.")
    for column in _LONG[:2]:
        if (table[column] == "").any():
            line = table.index[table[column] == ""][0]
            raise ValueError(f"{path}, line {line}: {column} is empty.")
    columns = {"unique_id": table["unique_id"], "ds": _times(path, table["ds"])}
    for column in table.columns:
        if column not in columns:
            columns[column] = _numbers_of(path, column, table[column])
    return pandas.DataFrame(columns)[[*table.columns]].reset_index(drop=True)


def _times(path: str | Path, texts: Any) -> Any:
    """Return whole numbers, or times as ISO 8601 writes them."""
    import pandas

    if texts.str.fullmatch(r"-?\d{1,18}").all():
        return texts.astype(np.int64)
    try:
        return pandas.to_datetime(texts, format="ISO8601")
    except (TypeError, ValueError):
        times = pandas.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
        line = texts.index[times.isna()][0] if times.isna().any() else texts.index[0]
        raise ValueError(
            f"{path}, line {line}: ds must be a whole number, or a time as ISO 8601 "
            "writes it, such as 2024-01-31 or 2024-01-31 18:00, all with or all "
            f"without their distance from UTC; got {texts[line]!r}."
        ) from None


def _numbers_of(path: str | Path, column: str, texts: Any) -> Any:
    """Return a column as numbers; what is empty is missing."""
    import pandas

    missing = texts.str.lower().isin(["", "na", "nan", "null"])
    numbers = pandas.to_numeric(texts.where(~missing), errors="coerce")
    odd = numbers.isna() & ~missing
    if odd.any():
        line = texts.index[odd][0]
        raise ValueError(
            f"{path}, line {line}: {column} must be a number; got {texts[line]!r:.40}."
        )
    return numbers.astype(np.float64)
