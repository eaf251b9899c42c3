"""How good the forecasts of a forecaster are, on the ends of series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from kseq2seq.arguments import check_whole
from kseq2seq.estimators.series_data import SeriesData
from kseq2seq.estimators.series_reading import read_series, read_static
from kseq2seq.metrics import coverage, mase, msis, smape
from kseq2seq.ragged import RaggedValues

if TYPE_CHECKING:
    from kseq2seq.estimators.sequence_forecaster import SequenceForecaster

OURS, NAIVE = "forecaster", "seasonal naive"


@dataclass(frozen=True)
class Backtest:
    """Forecasts of windows whose truth is known, and how good they are.

    Attributes
    ----------
    measures : dict of str to dict of str to float
        Of ``"forecaster"`` and ``"seasonal naive"``: ``mae``, ``rmse``, ``smape``
        (0 to 200) and ``mase``, the mean over series and windows; of the forecaster,
        if it has quantiles, also the share ``coverage`` of values within the interval
        of `level`, and ``msis``. What cannot be told, as the scale of a series that
        repeats exactly, is left out of a mean.
    forecasts, truths : numpy.ndarray
        ``(windows, n_series, horizon, targets)``.
    quantiles : numpy.ndarray or None
        ``(windows, n_series, horizon, targets, levels)``.
    origins : numpy.ndarray
        ``(windows, n_series)``: the place in each series of the first value forecast.
    level : float or None
        Of the widest interval that the quantiles have.
    forecaster : SequenceForecaster
        What forecast them: fitted on what lies before the first window.
    """

    measures: dict[str, dict[str, float]]
    forecasts: np.ndarray
    truths: np.ndarray
    quantiles: np.ndarray | None
    origins: np.ndarray
    level: float | None
    forecaster: SequenceForecaster

    def __str__(self) -> str:
        names = list(self.measures[OURS])
        lines = [" " * 15 + "".join(f"{name:>10}" for name in names)]
        for who, found in self.measures.items():
            shown = (f"{found[n]:10.4g}" if n in found else " " * 10 for n in names)
            lines.append(f"{who:<15}" + "".join(shown))
        return "\n".join(line.rstrip() for line in lines)


def backtest(
    forecaster: SequenceForecaster,
    series: Any,
    covariates: Any,
    *,
    static: Any,
    windows: int,
    step: int | None,
) -> Backtest:
    """Fit a copy before the windows, and measure its forecasts of them.

    Arguments as of :meth:`SequenceForecaster.backtest`.
    """
    check_whole("windows", windows)
    step = forecaster.horizon if step is None else check_whole("step", step)
    horizon = check_whole("horizon", forecaster.horizon)
    data = read_series(series, covariates, allows_nan=forecaster.missing == "mask")
    features = None if static is None else read_static(static, len(data))
    lengths = data.values.lengths.astype(np.int64)
    back = horizon + step * np.arange(windows - 1, -1, -1)
    origins = lengths - back[:, None]  # (windows, n_series)
    if origins.min() < horizon + 1:
        i = int(origins[0].argmin())
        raise ValueError(
            f"series[{i}] has {lengths[i]} frames; {windows} windows of {horizon}, "
            f"{step} apart, leave {origins[0, i]} before the first, and a fit takes "
            f"more than {horizon}. Pass fewer windows, or a smaller step."
        )
    copy = clone(forecaster)
    copy._fit_on(_before(data, origins[0]), features)
    rows = np.tile(np.arange(len(data)), windows)
    found = copy._forecasts(data, features, rows, origins.ravel())
    shape = (windows, len(data), horizon)
    forecasts = found["values"].reshape(*shape, -1)
    truths = _ahead(data.values, rows, origins.ravel(), horizon)
    truths = truths.reshape(forecasts.shape)
    quantiles, level = found.get("quantiles"), None
    if quantiles is not None:
        quantiles = quantiles.reshape(*forecasts.shape, -1)
        levels = copy._check_quantiles()
        level = 1 - 2 * max(levels[0], 1 - levels[-1])
        level = level if level > 0 else None
    season = min(copy.season_lengths_, default=1)
    naive = _naive(data.values, origins, horizon, copy.season_lengths_)
    measures = {
        OURS: _measures(data, origins, truths, forecasts, season),
        NAIVE: _measures(data, origins, truths, naive, season),
    }
    if quantiles is not None and level is not None:
        bounds = quantiles[..., 0], quantiles[..., -1]
        measures[OURS] |= _of_bounds(data, origins, truths, bounds, season, level)
    return Backtest(measures, forecasts, truths, quantiles, origins, level, copy)


def _before(data: SeriesData, ends: np.ndarray) -> SeriesData:
    """Return series up to places in them; covariates stay."""
    parts = [one[:end] for one, end in zip(data.values, ends, strict=True)]
    return replace(data, values=RaggedValues.of(parts))


def _ahead(
    values: RaggedValues, rows: np.ndarray, origins: np.ndarray, horizon: int
) -> np.ndarray:
    """Return what follows places of series, ``(n, horizon, targets)``."""
    places = values.starts[rows] + origins
    return values.flat[places[:, None] + np.arange(horizon)]


def _naive(
    values: RaggedValues, origins: np.ndarray, horizon: int, seasons: list[int]
) -> np.ndarray:
    """Return the values of the last season before each window, again and again."""
    season = min(seasons, default=1)
    back = season - np.arange(horizon) % season
    rows = np.tile(np.arange(len(values)), len(origins))
    places = (values.starts[rows] + origins.ravel())[:, None] - back
    places = np.maximum(places, values.starts[rows][:, None])
    return values.flat[places].reshape(*origins.shape, horizon, -1)


def _measures(
    data: SeriesData,
    origins: np.ndarray,
    truths: np.ndarray,
    forecasts: np.ndarray,
    season: int,
) -> dict[str, float]:
    """Return the mean errors over windows and series, where both are known."""
    unknown = np.isnan(truths) | np.isnan(forecasts)  # gaps in the season before
    truths, forecasts = (np.where(unknown, np.nan, v) for v in (truths, forecasts))
    errors = truths - forecasts
    return {
        "mae": float(np.nanmean(np.abs(errors))),
        "rmse": float(np.sqrt(np.nanmean(errors**2))),
        "smape": smape(truths, forecasts),
        "mase": _mean(
            mase(truths[:, i, :, k], forecasts[:, i, :, k], past[:, k], season)
            for i, past in enumerate(_before(data, origins[0]).values)
            for k in range(truths.shape[-1])
        ),
    }


def _of_bounds(
    data: SeriesData,
    origins: np.ndarray,
    truths: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    season: int,
    level: float,
) -> dict[str, float]:
    """Return how good the bounds of an interval are."""
    scores = (
        msis(
            truths[:, i, :, k],
            bounds[0][:, i, :, k],
            bounds[1][:, i, :, k],
            past[:, k],
            level=level,
            season=season,
        )
        for i, past in enumerate(_before(data, origins[0]).values)
        for k in range(truths.shape[-1])
    )
    return {"coverage": coverage(truths, *bounds), "msis": _mean(scores)}


def _mean(values: Any) -> float:
    """Return the mean of those that are numbers; NaN where none is."""
    found = np.array(list(values))
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else float("nan")
