"""Ridge regression on the last values of a series: what a forecaster must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.linear_model import RidgeCV

_MOST_WINDOWS = 50_000
_STRENGTHS = tuple(np.logspace(-2, 4, 13))


class RidgeOnLags:
    """A line from the last values, and what is known ahead, to each of the next.

    Windows are scaled by the mean and the standard deviation of their last values. Of
    what is known ahead a window has the values of its lags and of its horizon. How
    strongly weights are held back is chosen by scikit-learn's leave-one-out errors.

    Parameters
    ----------
    lags, horizon : int
    """

    def __init__(self, lags: int, horizon: int) -> None:
        self.lags = lags
        self.horizon = horizon

    def fit(
        self, series: Sequence[np.ndarray], ahead: Sequence[np.ndarray] | None = None
    ) -> Self:
        """Learn from all windows of series, or 50,000 drawn from them."""
        places = [
            (i, o)
            for i, one in enumerate(series)
            for o in range(self.lags, len(one) - self.horizon + 1)
        ]
        if len(places) > _MOST_WINDOWS:
            rng = np.random.default_rng(0)
            chosen = rng.choice(len(places), _MOST_WINDOWS, replace=False)
            places = [places[i] for i in chosen]
        X, mean, scale = self._read(series, places, ahead)
        y = np.array([series[i][o : o + self.horizon] for i, o in places])
        self._ridge = RidgeCV(_STRENGTHS).fit(X, (y - mean) / scale)
        return self

    def predict(
        self,
        series: Sequence[np.ndarray],
        places: Sequence[tuple[int, int]],
        ahead: Sequence[np.ndarray] | None = None,
    ) -> np.ndarray:
        """Return what follows places of series, ``(places, horizon)``."""
        X, mean, scale = self._read(series, places, ahead)
        return self._ridge.predict(X) * scale + mean

    @property
    def num_parameters(self) -> int:
        """How many numbers it has learned."""
        return self._ridge.coef_.size + self._ridge.intercept_.size

    def _read(
        self,
        series: Sequence[np.ndarray],
        places: Sequence[tuple[int, int]],
        ahead: Sequence[np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what windows are forecast from, their means and their scales."""
        last = np.array([series[i][o - self.lags : o] for i, o in places])
        mean, scale = last.mean(1, keepdims=True), last.std(1, keepdims=True)
        scale = np.where(scale > 0, scale, 1.0)
        X = (last - mean) / scale
        if ahead is not None:
            known = [
                ahead[i][o - self.lags : o + self.horizon].ravel() for i, o in places
            ]
            X = np.concatenate([X, np.array(known)], axis=1)
        return X, mean, scale
