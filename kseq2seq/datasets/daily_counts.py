"""Counts of each day, with a week, a trend, holidays and the weather in them."""

from __future__ import annotations

import numpy as np

from kseq2seq.arguments import check_size, make_rng

_WEEK = np.array([0.95, 0.9, 0.95, 1.05, 1.25, 1.35, 0.55])
"""How many come on each day of a week, Monday first, as a share of the mean."""
_DAYS_OF_YEAR = 365.25
_HOLIDAYS_A_YEAR = 14


def make_daily_counts(
    n_days: int, *, random_state: int | np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make the visitors of each day, and what goes with them.

    The mean of a day is some 200 visitors, growing by about a sixth a year, times the
    share of its day of the week; on a holiday 0.35 times that, on the day after 1.2
    times; and for each degree that it is warmer than usual in the season, 2 % more. The
    counts are drawn from a Poisson distribution. Holidays are known ahead, temperatures
    are not.

    Parameters
    ----------
    n_days : int
        How many days to make.
    random_state : int, optional
        Seeds holidays, temperatures and counts.

    Returns
    -------
    counts : numpy.ndarray
        float64 ``(n_days,)``, whole numbers.
    covariates : numpy.ndarray
        float64 ``(n_days, 3)``: 1 on a holiday, 1 on the day after, and the temperature
        in degrees Celsius.

    Examples
    --------
    >>> from kseq2seq.datasets import make_daily_counts
    >>> counts, covariates = make_daily_counts(730, random_state=0)
    >>> counts.shape, covariates.shape, int(covariates[:, 0].sum())
    ((730,), (730, 3), 24)
    """
    check_size("n_days", n_days)
    rng = make_rng(random_state)
    days = np.arange(n_days)
    year = 2 * np.pi * days / _DAYS_OF_YEAR
    holiday = rng.random(n_days) < _HOLIDAYS_A_YEAR / _DAYS_OF_YEAR
    after = np.concatenate([[False], holiday[:-1]])[:n_days] & ~holiday
    warmer = _drifting(rng, n_days)
    temperature = 10 - 9 * np.cos(year) + warmer
    mean = 200 * (1 + 0.16 * days / _DAYS_OF_YEAR) * (1 + 0.1 * np.sin(year))
    mean *= _WEEK[days % 7] * np.where(holiday, 0.35, 1) * np.where(after, 1.2, 1)
    counts = rng.poisson(mean * np.exp(0.02 * warmer)).astype(np.float64)
    return counts, np.stack([holiday, after, temperature], axis=1).astype(np.float64)


def _drifting(rng: np.random.Generator, n_days: int) -> np.ndarray:
    """Return degrees that drift from day to day, some 3 from their mean."""
    shocks = rng.normal(scale=2.0, size=n_days)
    drift = np.zeros(n_days)
    for day in range(1, n_days):
        drift[day] = 0.75 * drift[day - 1] + shocks[day]
    return drift
