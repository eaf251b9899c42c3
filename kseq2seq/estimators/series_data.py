"""Time series that were read, and what a model file keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.codec import SeriesCodec, value_sequences
from kseq2seq.ragged import RaggedValues


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

    def name_of(self, place: int) -> str:
        """Return what errors call a series."""
        return repr(self.names[place]) if self.names else f"series[{place}]"


def sequences(name: str, listed: list[Any], *, allows_nan: bool) -> RaggedValues:
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


def time_to_json(time: Any) -> Any:
    """Return a time as a JSON value: a whole number, or a text.

    A text is as ISO 8601 has it, with the name of its time zone behind it, if it has
    one: ``2024-03-31T00:00:00+01:00[Europe/Berlin]``.
    """
    if isinstance(time, int | np.integer):
        return int(time)
    zone = getattr(time.tzinfo, "key", None) or getattr(time.tzinfo, "zone", None)
    return time.isoformat() + (f"[{zone}]" if zone else "")


def _time_from_json(text: str) -> Any:
    import pandas

    written, _, zone = text.rstrip("]").partition("[")
    time = pandas.Timestamp(written)
    return time.tz_convert(zone) if zone else time


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
        times = [_time_from_json(str(time)) for time in times]
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
