"""Time series as users have them: arrays, lists of them, or a table in long form."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq2seq.arguments import check_lengths, check_unmasked, shown, written
from kseq2seq.codec import SeriesCodec, value_sequences
from kseq2seq.ragged import RaggedValues

ID, TIME, VALUE = "unique_id", "ds", "y"
"""The columns of a table in long form: which series, when, and the value."""


@dataclass(frozen=True)
class Frequency:
    """How far apart the times of a table are.

    Attributes
    ----------
    name : str or int
        A frequency of pandas, or the difference of whole numbers.
    """

    name: str | int

    def following(self, last: Any, number: int) -> Any:
        """Return the times that follow the last one."""
        if isinstance(self.name, int):
            return last + self.name * np.arange(1, number + 1)
        import pandas

        return pandas.date_range(last, periods=number + 1, freq=self.name)[1:]


@dataclass(frozen=True)
class SeriesData:
    """Time series, read.

    Attributes
    ----------
    kind : {"array", "list", "table"}
        What they were given as.
    values : RaggedValues
        ``(len, targets)`` each.
    covariates : RaggedValues, optional
    covariate_names : list of str
        Of a table's; else their places as texts.
    names : list
        Of a table, the identifiers of the series.
    last_times : list
        Of a table, the last time of each.
    frequency : Frequency, optional
    """

    kind: str
    values: RaggedValues
    covariates: RaggedValues | None = None
    covariate_names: Sequence[str] = ()
    names: Sequence[Any] = ()
    last_times: Sequence[Any] = ()
    frequency: Frequency | None = None

    def __len__(self) -> int:
        return len(self.values)


def read_series(series: Any, covariates: Any, *, allows_nan: bool) -> SeriesData:
    """Return time series with their covariates.

    Parameters
    ----------
    series : array, list of arrays or DataFrame
        One series ``(len,)`` or ``(len, targets)``; several in a list; or a table in
        long form, whose columns beside ``unique_id``, ``ds`` and ``y`` are covariates.
    covariates : array, list of arrays or None
        ``(len, covariates)`` for each series, or more frames than it has.
    allows_nan : bool

    Raises
    ------
    ValueError, TypeError
        When they are not as described; the message names the place.
    """
    if is_table(series):
        if covariates is not None:
            raise TypeError(
                "covariates of a table are its other columns; leave covariates out."
            )
        return _read_table(series, allows_nan=allows_nan)
    check_unmasked("series", series)
    if isinstance(series, list | tuple) and not series:
        raise ValueError("series must hold one series at least; got none.")
    kind = "list" if isinstance(series, list | tuple) and _nested(series) else "array"
    listed = list(series) if kind == "list" else [series]
    values = _sequences("series", listed, allows_nan=allows_nan)
    if covariates is None:
        return SeriesData(kind, values)
    read = read_covariates(covariates, kind, len(values), allows_nan=allows_nan)
    names = [str(i) for i in range(read.num_features)]
    return SeriesData(kind, values, read, names)


def read_covariates(
    covariates: Any, kind: str, num_series: int, *, allows_nan: bool
) -> RaggedValues:
    """Return the covariates of series that were given as a kind."""
    listed = list(covariates) if kind == "list" else [covariates]
    read = _sequences("covariates", listed, allows_nan=allows_nan)
    if len(read) != num_series:
        raise ValueError(
            f"covariates must be given for each of the {num_series} series; got "
            f"{len(read)}."
        )
    return read


def read_static(static: Any, num_series: int) -> np.ndarray:
    """Return what does not change, of each series: ``(n_series, features)``."""
    values = np.asarray(static, dtype=np.float64)
    if num_series == 1 and values.ndim == 1:
        values = values[None]
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError(
            f"static must be finite numbers ({num_series}, features), a row for each "
            f"series; got {shown(static)}."
        )
    check_lengths(num_series, len(values))
    return values


def time_to_json(time: Any) -> Any:
    """Return a time as a JSON value: a whole number, or a text."""
    return int(time) if isinstance(time, int | np.integer) else time.isoformat()


def arrays_of(data: SeriesData, static: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return series as arrays of a model file."""
    arrays = {"values": data.values.flat, "lengths": data.values.lengths}
    if data.covariates is not None:
        arrays["covariates"] = data.covariates.flat
    if static is not None:
        arrays["static"] = static
    return {f"series/{name}": array for name, array in arrays.items()}


def series_of(
    codec: SeriesCodec,
    arrays: Mapping[str, np.ndarray],
    names: list[Any],
    times: list[Any],
) -> tuple[SeriesData, np.ndarray | None]:
    """Return the series that :func:`arrays_of` was given, and what is static.

    Raises
    ------
    ValueError
        When the arrays do not fit each other.
    """
    found = {name: arrays[f"series/{name}"] for name in codec.array_names}
    lengths = found["lengths"]
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 1).any():
        raise ValueError("series/lengths must be whole numbers from 1")
    total = int(lengths.sum(dtype=np.int64))
    shapes = {
        "values": (total, codec.num_targets),
        "covariates": (total, len(codec.covariate_names)),
        "static": (len(lengths), codec.num_static),
    }
    for name, shape in shapes.items():
        if name in found and (
            found[name].shape != shape or found[name].dtype.kind != "f"
        ):
            raise ValueError(f"series/{name} must be numbers {shape}")
    if codec.kind == "table" and {len(names), len(times)} != {len(lengths)}:
        raise ValueError("series/names must be as many as the series")
    if codec.frequency is not None and not isinstance(codec.frequency, int):
        import pandas

        times = [pandas.Timestamp(time) for time in times]
    data = SeriesData(
        codec.kind,
        RaggedValues(found["values"], lengths),
        RaggedValues(found["covariates"], lengths) if "covariates" in found else None,
        codec.given_names,
        names,
        times,
        None if codec.frequency is None else Frequency(codec.frequency),
    )
    return data, found.get("static")


def is_table(values: Any) -> bool:
    """Whether this is a DataFrame."""
    return hasattr(values, "columns") and hasattr(values, "iloc")


def _nested(series: Sequence[Any]) -> bool:
    """Whether a list holds sequences, and not the numbers of one."""
    return len(series) > 0 and any(np.ndim(each) > 0 for each in series)


def _sequences(name: str, listed: list[Any], *, allows_nan: bool) -> RaggedValues:
    """Return arrays ``(len,)`` or ``(len, features)``, joined."""
    try:
        arrays = [np.asarray(each, dtype=np.float64) for each in listed]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be arrays of numbers, (len,) or (len, features); got "
            f"{shown(listed[0])}: {error!s:.100}"
        ) from None
    arrays = [array[:, None] if array.ndim == 1 else array for array in arrays]
    for i, array in enumerate(arrays):
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(
                f"{name}[{i}] must be of shape (len,) or (len, features), none of them "
                f"0; got {np.shape(listed[i])}."
            )
    if len({array.shape for array in arrays}) == 1:
        return value_sequences(name, np.stack(arrays), allows_nan=allows_nan)
    return value_sequences(name, arrays, allows_nan=allows_nan)


def _read_table(table: Any, *, allows_nan: bool) -> SeriesData:
    """Return the series of a table in long form, in the order of their first rows."""
    for column in (ID, TIME, VALUE):
        if column not in table.columns:
            raise ValueError(
                f"a table of series has the columns {ID!r}, {TIME!r} and {VALUE!r}; "
                f"{column!r} is missing. It has {written(list(table.columns))}."
            )
    covariates = [str(c) for c in table.columns if c not in (ID, TIME, VALUE)]
    names, parts, beside, last, frequencies = [], [], [], [], []
    for name, rows in table.groupby(ID, sort=False):
        rows = rows.sort_values(TIME, kind="stable")
        names.append(name)
        frequencies.append(_frequency(name, rows[TIME]))
        last.append(rows[TIME].iloc[-1])
        parts.append(rows[[VALUE]].to_numpy(np.float64))
        beside.append(rows[covariates].to_numpy(np.float64))
    if not names:
        raise ValueError("a table of series must have rows; got none.")
    values = _sequences("y", parts, allows_nan=allows_nan)
    read = None
    if covariates:
        read = _sequences("covariates", beside, allows_nan=allows_nan)
    frequency = frequencies[0]
    odd = next((i for i, f in enumerate(frequencies) if f != frequency), None)
    if odd is not None:
        raise ValueError(
            f"all series must have one frequency; {names[0]!r} has "
            f"{frequency.name!r}, and {names[odd]!r} has {frequencies[odd].name!r}."
        )
    return SeriesData("table", values, read, covariates, names, last, frequency)


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


def read_future(table: Any, data: SeriesData, names: Sequence[str]) -> RaggedValues:
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
    for column in (ID, TIME, *names):
        if column not in table.columns:
            raise ValueError(
                f"covariates lack the column {column!r}; they have "
                f"{written(list(table.columns))}."
            )
    groups = {name: rows for name, rows in table.groupby(ID, sort=False)}
    parts = []
    for name, last in zip(data.names, data.last_times, strict=True):
        rows = groups.get(name)
        rows = None if rows is None else rows[rows[TIME] > last].sort_values(TIME)
        if rows is None or not len(rows):
            raise ValueError(f"covariates say nothing of {name!r} after {last}.")
        if data.frequency is not None:
            due = list(data.frequency.following(last, len(rows)))
            odd = [i for i, when in enumerate(rows[TIME]) if when != due[i]]
            if odd:
                raise ValueError(
                    f"covariates of {name!r} must go on as the series does; after "
                    f"{last} expected {due[odd[0]]}, got {rows[TIME].iloc[odd[0]]}."
                )
        parts.append(rows[list(names)].to_numpy(np.float64))
    return _sequences("covariates", parts, allows_nan=False)


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
