"""Time series as users have them: arrays, lists of them, or a table in long form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kseq2seq.arguments import check_lengths, check_unmasked, shown
from kseq2seq.estimators.series_data import SeriesData, sequences
from kseq2seq.estimators.series_table import is_table, read_table
from kseq2seq.ragged import RaggedValues


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
        return read_table(series, allows_nan=allows_nan)
    check_unmasked("series", series)
    if isinstance(series, list | tuple) and not series:
        raise ValueError("series must hold one series at least; got none.")
    kind = "list" if isinstance(series, list | tuple) and _nested(series) else "array"
    listed = list(series) if kind == "list" else [series]
    values = sequences("series", listed, allows_nan=allows_nan)
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
    read = sequences("covariates", listed, allows_nan=allows_nan)
    if len(read) != num_series:
        raise ValueError(
            f"covariates must be given for each of the {num_series} series; got "
            f"{len(read)}."
        )
    return read


def read_static(static: Any, num_series: int) -> np.ndarray:
    """Return what does not change, of each series: ``(n_series, features)``."""
    try:
        values = np.asarray(static, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"static must be numbers ({num_series}, features), a row for each series, "
            f"in their order; got {shown(static)}."
        ) from None
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


def _nested(series: Sequence[Any]) -> bool:
    """Whether a list holds sequences, and not the numbers of one."""
    return len(series) > 0 and any(np.ndim(each) > 0 for each in series)
