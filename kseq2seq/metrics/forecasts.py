"""How good forecasts are: errors of values, and of the bounds around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq2seq.arguments import check_real, check_whole


def _pair(truth: Any, forecast: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of one shape, or raise.

    NaN in the first is what is not known; elsewhere the second must be finite.
    """
    first, second = (np.asarray(v, dtype=np.float64) for v in (truth, forecast))
    if first.shape != second.shape or not first.size:
        raise ValueError(
            f"truth and forecast must be arrays of one shape, and not empty; got "
            f"{first.shape} and {second.shape}."
        )
    wrong = ~np.isfinite(second) & ~np.isnan(first)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"what was forecast must be finite where the truth is known; at {place} it "
            f"is {second[place]}."
        )
    return first, second


def _scaled(error: float, history: Any, season: int) -> float:
    """Return an error over the scale of a history: infinite where it repeats exactly.

    NaN where there is no error either, or no scale.
    """
    scale = seasonal_scale(history, season)
    if scale == 0:
        return float("inf") if error > 0 else float("nan")
    return error / scale


def smape(truth: Any, forecast: Any) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 200.

    The mean of ``200 |y - f| / (|y| + |f|)``, as the M4 competition has it (Makridakis
    et al., 2020, doi:10.1016/j.ijforecast.2019.04.014); 0 where both are 0.

    Examples
    --------
    >>> from kseq2seq.metrics import smape
    >>> smape([1.0, 3.0], [1.0, 1.0])
    50.0
    """
    first, second = _pair(truth, forecast)
    sizes = np.abs(first) + np.abs(second)
    shares = np.abs(first - second) / np.where(sizes == 0, 1.0, sizes)
    return float(200 * np.nanmean(shares))


def seasonal_scale(history: Any, season: int = 1) -> float:
    """Return the mean of ``|y_t - y_{t - season}|`` over a history.

    NaN where it has no such pair; 0 where it repeats exactly.
    """
    values = np.asarray(history, dtype=np.float64)
    check_whole("season", season)
    if len(values) <= season:
        return float("nan")
    return float(np.nanmean(np.abs(values[season:] - values[:-season])))


def mase(truth: Any, forecast: Any, history: Any, season: int = 1) -> float:
    """Return the mean absolute scaled error (Hyndman and Koehler, 2006).

    The mean absolute error over that of the seasonal naive forecast within the history
    (:func:`seasonal_scale`; doi:10.1016/j.ijforecast.2006.03.001): below 1 is better.
    Infinite where the history repeats exactly, and NaN where the forecast does, too.

    Examples
    --------
    >>> from kseq2seq.metrics import mase
    >>> mase([5.0, 6.0], [5.0, 5.0], history=[1.0, 2.0, 3.0, 4.0])
    0.5
    """
    first, second = _pair(truth, forecast)
    return _scaled(float(np.nanmean(np.abs(first - second))), history, season)


def msis(
    truth: Any,
    lower: Any,
    upper: Any,
    history: Any,
    *,
    level: float = 0.95,
    season: int = 1,
) -> float:
    """Return the mean scaled interval score (Gneiting and Raftery, 2007).

    The mean of the width of the intervals, and ``2 / (1 - level)`` times how far truth
    lies outside, over the scale of :func:`mase` (doi:10.1198/016214506000001437): less
    is better. Infinite or NaN as :func:`mase`.
    """
    check_real("level", level, maximum=1.0, exclusive=True)
    values, low = _pair(truth, lower)
    _, high = _pair(truth, upper)
    outside = np.maximum(low - values, 0) + np.maximum(values - high, 0)
    score = high - low + 2 / (1 - level) * outside
    return _scaled(float(np.nanmean(score)), history, season)


def coverage(truth: Any, lower: Any, upper: Any) -> float:
    """Return the share of values that lie within their bounds, 0 to 1."""
    values, low = _pair(truth, lower)
    _, high = _pair(truth, upper)
    there = ~np.isnan(values)
    inside = (values >= low) & (values <= high)
    return float(inside[there].mean()) if there.any() else float("nan")
