"""Time series in tables in long form: a row for each series and time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kseq2seq.arguments import shown, written
from kseq2seq.estimators.series_data import Frequency, SeriesData, sequences
from kseq2seq.ragged import RaggedValues

ID, TIME, VALUE = "unique_id", "ds", "y"
"""The columns of a table in long form: which series, when, and the value."""


def is_table(values: Any) -> bool:
    """Whether this is a DataFrame."""
    return hasattr(values, "columns") and hasattr(values, "iloc")


def read_table(table: Any, *, allows_nan: bool) -> SeriesData:
    """Return the series of a table in long form, in the order of their first rows.

    Raises
    ------
    ValueError, TypeError
        When it is no such table; the message names the column, the series or the time.
    """
    _check_columns("a table of series", table, [ID, TIME, VALUE])
    covariates = [c for c in table.columns if c not in (ID, TIME, VALUE)]
    groups = _groups(table, [VALUE, *covariates], allows_nan=allows_nan)
    if not groups:
        raise ValueError("a table of series must have rows; got none.")
    frequencies = {name: _frequency(name, rows[TIME]) for name, rows in groups.items()}
    first = next(iter(groups))
    for name, frequency in frequencies.items():
        if frequency != frequencies[first]:
            raise ValueError(
                f"all series must have one frequency; {first!r} has "
                f"{frequencies[first].name!r}, and {name!r} has {frequency.name!r}."
            )
    parts = groups.values()
    read = None
    if covariates:
        beside = [rows[covariates].to_numpy(np.float64) for rows in parts]
        read = sequences("covariates", beside, allows_nan=allows_nan)
    return SeriesData(
        "table",
        sequences("y", [rows[[VALUE]].to_numpy() for rows in parts], allows_nan=True),
        read,
        [str(c) for c in covariates],
        list(groups),
        [rows[TIME].iloc[-1] for rows in parts],
        frequencies[first],
    )


def _check_columns(what: str, table: Any, needed: Sequence[Any]) -> None:
    for column in needed:
        if column not in table.columns:
            raise ValueError(
                f"{what} must have the columns {written(list(needed))}; {column!r} is "
                f"missing. It has {written(list(table.columns))}."
            )
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"{what} must have each column once; {twice!r} comes twice.")


def _groups(
    table: Any, columns: Sequence[Any], *, allows_nan: bool
) -> dict[str | int, Any]:
    """Return the rows of each series by its name, sorted by their times.

    Times are times or whole numbers, columns numbers.
    """
    import pandas

    read = pandas.DataFrame({TIME: _times(table[TIME]), ID: _names(table[ID])})
    for column in columns:
        read[column] = _numbers(column, table)
    groups = {
        name: rows.sort_values(TIME, kind="stable")
        for name, rows in read.groupby(ID, sort=False)
    }
    for name, rows in groups.items():
        for column in [] if allows_nan else columns:
            missing = np.flatnonzero(rows[column].isna())
            if len(missing):
                raise ValueError(
                    f"{column} of {name!r} at {rows[TIME].iloc[missing[0]]} is missing "
                    "(NaN). Fill it in; or pass missing='mask' (--missing mask), and "
                    "it counts as unknown."
                )
    return groups


def _names(column: Any) -> list[str | int]:
    """Return the names of series, texts or whole numbers, or raise."""
    names: list[str | int] = []
    for place, name in enumerate(column.to_list()):
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise ValueError(
                f"{ID} must hold texts or whole numbers; row {place} has {name!r} "
                f"({type(name).__name__}). Name each series, by astype(str) for one."
            )
        names.append(name)
    return names


def _times(column: Any) -> Any:
    """Return times, or whole numbers, without an index; or raise."""
    import pandas

    values = column.reset_index(drop=True)
    if values.isna().any():
        place = int(np.flatnonzero(values.isna())[0])
        raise ValueError(f"{TIME} must be known of each row; row {place} has none.")
    kind = values.dtype
    if isinstance(kind, pandas.PeriodDtype):
        return values.dt.to_timestamp()
    if isinstance(kind, pandas.DatetimeTZDtype) or kind.kind in "Miu":
        return values
    if kind.kind == "f" and (values == values.round()).all():
        return values.astype(np.int64)
    if kind.kind in "fbc":
        raise ValueError(
            f"{TIME} must be times or whole numbers; got {shown(values.iloc[0])}."
        )
    try:
        return pandas.to_datetime(values, format="ISO8601")
    except (TypeError, ValueError):
        read = pandas.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
        odd = values[read.isna()]
        raise ValueError(
            f"{TIME} must be times as ISO 8601 writes them, such as 2024-01-31 or "
            f"2024-01-31 18:00, all with or all without their distance from UTC; got "
            f"{str(odd.iloc[0] if len(odd) else values.iloc[0])[:40]!r}. Of others "
            "make times first, by pandas.to_datetime with their format."
        ) from None


def _numbers(column: Any, table: Any) -> np.ndarray:
    """Return a column as numbers, or raise."""
    import pandas

    try:
        return table[column].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        numbers = pandas.to_numeric(table[column], errors="coerce").to_numpy()
        odd = np.isnan(numbers.astype(np.float64)) & table[column].notna().to_numpy()
        place = int(np.argmax(odd))
        raise ValueError(
            f"{column} must hold numbers; {table[ID].iloc[place]!r} at "
            f"{table[TIME].iloc[place]} has {table[column].iloc[place]!r:.40}. Make "
            "numbers of it, or leave the column out."
        ) from None


def _frequency(name: Any, times: Any) -> Frequency:
    """Return how far apart the times of a series are, or raise where that changes."""
    import pandas

    values = times.to_numpy()
    repeated = times.duplicated()
    if repeated.any():
        when = times[repeated].iloc[0]
        raise ValueError(f"{TIME} of {name!r} must differ; {when} comes twice.")
    if len(times) < 3:
        raise ValueError(
            f"{name!r} has {len(times)} rows; expected at least 3, from which a "
            "frequency can be read."
        )
    if values.dtype.kind in "iu":
        steps = np.diff(values)
        if (steps == steps[0]).all():
            return Frequency(int(steps[0]))
        i = int(np.argmax(steps != np.median(steps)))
    else:
        index = pandas.DatetimeIndex(times)
        with warnings.catch_warnings():  # that a later version returns an object
            warnings.simplefilter("ignore")
            found = pandas.infer_freq(index)
        if found is not None:
            return Frequency(getattr(found, "freqstr", found))
        steps = np.diff(index.to_numpy())
        i = int(np.argmax(steps != np.median(steps)))
    raise ValueError(
        f"{TIME} of {name!r} must be evenly spaced; after {times.iloc[i]} comes "
        f"{times.iloc[i + 1]}. Add the rows that are missing, with y NaN and "
        "missing='mask', or leave others out."
    )


def read_future(
    table: Any, data: SeriesData, names: Sequence[str], horizon: int
) -> RaggedValues:
    """Return what a table says of the covariates after the end of each series.

    Raises
    ------
    ValueError, TypeError
        When it is no table, or lacks a column, a series or a time.
    """
    if not is_table(table):
        raise TypeError(
            "covariates ahead of a table of series are a table with the columns "
            f"{ID!r}, {TIME!r} and {written(list(names))}; got {shown(table)}."
        )
    given = {str(column): column for column in table.columns}
    _check_columns(
        "covariates ahead", table, [ID, TIME, *(given.get(n, n) for n in names)]
    )
    columns = [given[name] for name in names]
    groups = _groups(table, columns, allows_nan=True)
    parts = []
    for name, last in zip(data.names, data.last_times, strict=True):
        rows = _after(groups, name, last)
        if len(rows) < horizon:
            raise ValueError(
                f"covariates ahead must have {horizon} rows of {name!r} after {last}; "
                f"got {len(rows)}."
            )
        if data.frequency is not None:
            due = list(data.frequency.following(last, len(rows)))
            odd = [i for i, when in enumerate(rows[TIME]) if when != due[i]]
            if odd:
                raise ValueError(
                    f"covariates of {name!r} must go on as the series does; after "
                    f"{last} expected {due[odd[0]]}, got {rows[TIME].iloc[odd[0]]}."
                )
        if rows[columns][:horizon].isna().any(axis=None):
            raise ValueError(f"covariates ahead of {name!r} hold NaN. Fill them in.")
        parts.append(rows[columns][:horizon].to_numpy(np.float64))
    return sequences("covariates", parts, allows_nan=False)


def _after(groups: dict[str | int, Any], name: Any, last: Any) -> Any:
    """Return the rows of a series after a time."""
    if name not in groups:
        raise ValueError(f"covariates ahead say nothing of {name!r}.")
    rows = groups[name]
    try:
        return rows[rows[TIME] > last]
    except TypeError:
        raise ValueError(
            f"{TIME} of the covariates ahead must be such as those of the series; "
            f"after {last} got {rows[TIME].iloc[0]}."
        ) from None


def table_of(data: SeriesData, answers: np.ndarray, columns: Sequence[str]) -> Any:
    """Return forecasts ``(n_series, horizon, columns)`` as a table in long form."""
    import pandas

    parts = []
    for name, last, rows in zip(data.names, data.last_times, answers, strict=True):
        if data.frequency is None:
            raise ValueError("a table of series has a frequency")
        times = data.frequency.following(last, len(rows))
        values = {column: rows[:, i] for i, column in enumerate(columns)}
        parts.append(pandas.DataFrame({ID: name, TIME: times, **values}))
    return pandas.concat(parts, ignore_index=True)
