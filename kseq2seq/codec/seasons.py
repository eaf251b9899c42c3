"""The lengths of the seasons in time series, found in the series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import detrend, find_peaks

_ALIKE = 0.3
"""The autocorrelation from which on a lag may be a season."""
_BETTER = 0.02
"""By how much values must be more alike after a longer season than after less of it."""
_MOST_SERIES = 100
_NOISE = 1e-12
"""What is left of a straight line, as a share of its squares, by rounding."""


def find_season_lengths(
    series: Sequence[np.ndarray], longest: int | None = None
) -> tuple[int, ...]:
    """Return the lengths of up to two seasons, the shorter one first.

    A season is the lag of a peak of the autocorrelation, of the series without their
    linear trend, the mean over series. A second season is a multiple of the first after
    which values are more alike than after any shorter multiple, the first itself left
    out, and after the next one.

    Parameters
    ----------
    series : sequence of numpy.ndarray ``(len,)``
        NaN counts as the mean.
    longest : int, optional
        The longest season to look for; a third of the longest series when None.

    Returns
    -------
    tuple of int
        None where nothing repeats.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.codec import find_season_lengths
    >>> hours = np.arange(24 * 60)
    >>> week = np.where(hours // 24 % 7 < 5, 1.0, 0.3)
    >>> find_season_lengths([np.sin(hours * 2 * np.pi / 24) * week])
    (24, 168)
    """
    step = max(len(series) // _MOST_SERIES, 1)
    chosen = [np.asarray(each, dtype=np.float64) for each in series[::step]]
    limit = max(len(each) for each in chosen) // 3
    longest = limit if longest is None else min(longest, limit)
    if longest < 2:
        return ()
    correlation = _mean_correlation(chosen, longest)
    peaks, _ = find_peaks(correlation, height=_ALIKE)
    if not len(peaks):
        return ()
    shortest = _first_season(correlation, peaks)
    alike = correlation[shortest::shortest]  # at each multiple of the shortest
    for m in range(2, len(alike)):
        shorter = alike[: m - 1] if m == 2 else alike[1 : m - 1]
        if alike[m - 1] > max(*shorter, alike[m]) + _BETTER:
            return (shortest, m * shortest)
    return (shortest,)


def _first_season(correlation: np.ndarray, peaks: np.ndarray) -> int:
    """Return the first peak that is about as high as the highest one."""
    highest = correlation[peaks].max()
    return int(peaks[correlation[peaks] >= 0.7 * highest][0])


def _mean_correlation(series: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """Return the autocorrelation at lags from 0, the mean over series."""
    found, counts = np.zeros(longest + 2), np.zeros(longest + 2)
    for values in series:
        mean = np.nanmean(values) if not np.isnan(values).all() else 0.0
        filled = np.where(np.isnan(values), mean, values)
        rest = detrend(filled)
        power = rest @ rest
        if len(rest) < 4 or power <= _NOISE * (filled @ filled):
            continue
        size = 1 << (2 * len(rest) - 1).bit_length()
        spectrum = np.abs(np.fft.rfft(rest, size)) ** 2
        lags = np.fft.irfft(spectrum, size)[: min(longest + 2, len(rest) // 2)]
        pairs = len(rest) - np.arange(len(lags))
        found[: len(lags)] += lags / power * len(rest) / pairs
        counts[: len(lags)] += 1
    return found / np.maximum(counts, 1)
