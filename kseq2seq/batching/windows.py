"""Windows of time series, cut when a batch is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kseq2seq.batching.buckets import Batch, BucketedBatches
from kseq2seq.batching.gaps import without_gaps
from kseq2seq.batching.padding import shift_values
from kseq2seq.codec.scaling import Scale
from kseq2seq.ragged import RaggedValues


@dataclass(frozen=True)
class Series:
    """Time series, with what is known beside them.

    Attributes
    ----------
    values : RaggedValues
        In their own units, ``(len, targets)`` each; NaN where one is missing.
    covariates : RaggedValues, optional
        Scaled, ``(len, covariates)``; those of a series may reach beyond its end.
    static : numpy.ndarray, optional
        Scaled, ``(n_series, static)``.
    weights : numpy.ndarray
        Of each series.
    """

    values: RaggedValues
    covariates: RaggedValues | None
    static: np.ndarray | None
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


class Window(NamedTuple):
    """What a model reads of windows, and what its answers are taken from.

    Attributes
    ----------
    source : numpy.ndarray
        ``(n, history, features)``.
    known : numpy.ndarray
        ``(n, horizon, features)``; of no features where nothing is known ahead.
    base : numpy.ndarray
        ``(n, horizon, targets)``, scaled: what answers are added to.
    scale : Scale
        ``(n, 1, targets)``, or ``(targets,)``.
    """

    source: np.ndarray
    known: np.ndarray
    base: np.ndarray
    scale: Scale


@dataclass(frozen=True)
class WindowShape:
    """How windows are cut from series.

    Attributes
    ----------
    history, horizon : int
        How many frames are read, and how many are answered.
    seasons : tuple of int
        Of each, the value of the last season before stands beside a frame.
    base_season : int, optional
        The answers are differences from the mean of values so many frames before, one
        of each such season in the history; from the last value when None.
    num_base_seasons : int
        The seasons of that mean, which the decoder is told, and the mean of what is
        known ahead at the same frames. When 0 there is the last season alone, and the
        decoder is told nothing of it.
    num_known : int
        How many covariates, the first ones, are known ahead.
    scale : Scale, optional
        Of the targets; that of each window's own history when None.
    """

    history: int
    horizon: int
    seasons: tuple[int, ...]
    base_season: int | None
    num_base_seasons: int
    num_known: int
    scale: Scale | None

    def cut(self, series: Series, rows: np.ndarray, origins: np.ndarray) -> Window:
        """Return windows, each of one of the series, whose first answer is an origin.

        Parameters
        ----------
        series : Series
        rows, origins : numpy.ndarray
            ``(n,)``: which series, and the place in it.
        """
        past = np.arange(-self.history, 0)
        ahead = np.arange(self.horizon)
        values = _frames(series.values, rows, origins, past)  # (n, history, targets)
        scale = self.scale or Scale.of_windows(values)

        def lagged(steps: np.ndarray, season: int) -> np.ndarray:
            """Return scaled values of the last season before the origin, or steps."""
            before = _a_season_before(steps, season)
            lags = scale.apply(_frames(series.values, rows, origins, before))
            return np.nan_to_num(lags)  # the mean, where there was no season before

        read, known = [scale.apply(values)], []
        for season in self.seasons:
            read.append(lagged(past, season))
            known.append(lagged(ahead, season))
        if series.covariates is not None:
            both = np.concatenate([past, ahead])
            beside = _frames(series.covariates, rows, origins, both).astype(np.float32)
            beside = np.nan_to_num(beside)
            read.append(beside[:, : self.history])
            known.append(beside[:, self.history :, : self.num_known])
        if series.static is not None:
            static = series.static[rows][:, None].astype(np.float32)
            read.append(np.repeat(static, self.history, axis=1))
            known.append(np.repeat(static, self.horizon, axis=1))
        if self.base_season is None:
            last = without_gaps(read[0])[:, -1:]
            base = np.repeat(last, self.horizon, axis=1)
        else:
            usual, known_then = self._usual_frames(series, rows, origins)
            base = np.nan_to_num(scale.apply(usual))
            known += [base, *known_then] if self.num_base_seasons else []
        nothing = np.zeros((len(rows), self.horizon, 0), np.float32)
        return Window(
            np.concatenate(read, axis=2),
            np.concatenate([*known, nothing], axis=2),
            base,
            scale,
        )

    def _usual_frames(
        self, series: Series, rows: np.ndarray, origins: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the means of the frames some seasons before each that is answered.

        They are values ``(n, horizon, targets)``, and what is known ahead beside them,
        if series have covariates.
        """
        season = self.base_season or 1
        seasons = season * np.arange(max(self.num_base_seasons, 1))
        last = _a_season_before(np.arange(self.horizon), season)
        before = last - seasons[:, None]  # (seasons, horizon)
        values = _means(series.values, rows, origins, before)
        if series.covariates is None:
            return values, []
        beside = _means(series.covariates, rows, origins, before)
        beside = np.nan_to_num(beside[..., : self.num_known])
        return values, [beside.astype(np.float32)]

    def targets(
        self, series: Series, rows: np.ndarray, origins: np.ndarray, window: Window
    ) -> np.ndarray:
        """Return what is to be answered: scaled, as differences from the base."""
        truth = _frames(series.values, rows, origins, np.arange(self.horizon))
        return window.scale.apply(truth) - window.base


def _a_season_before(steps: np.ndarray, season: int) -> np.ndarray:
    """Return steps of the last season before the origin, or before the steps."""
    return steps - season * np.maximum(-(-(steps + 1) // season), 1)


def _means(
    series: RaggedValues, rows: np.ndarray, origins: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return the means of frames at steps ``(several, steps)``, over the several.

    NaN is left out, and comes where nothing else is there.
    """
    total, count = 0.0, 0
    for each in steps:  # not all at once, which would fill the memory
        frames = _frames(series, rows, origins, each)
        total, count = total + np.nan_to_num(frames), count + ~np.isnan(frames)
    return np.where(count, total / np.maximum(count, 1), np.nan)


def _frames(
    series: RaggedValues, rows: np.ndarray, origins: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return frames ``(n, steps, features)`` about origins; NaN outside of series."""
    places = origins[:, None] + steps
    inside = (places >= 0) & (places < series.lengths[rows][:, None])
    flat = series.starts[rows][:, None] + np.where(inside, places, 0)
    return np.where(inside[..., None], series.flat[flat], np.nan)


class Windows:
    """Which windows of series are there: all origins between bounds.

    Parameters
    ----------
    series : Series
    shape : WindowShape
    first, stop : numpy.ndarray
        Of each series the first origin and the one behind the last.
    """

    def __init__(
        self, series: Series, shape: WindowShape, first: np.ndarray, stop: np.ndarray
    ) -> None:
        self.series, self.shape = series, shape
        self.first = first
        self.counts = np.maximum(stop - first, 0)
        self.ends = np.cumsum(self.counts)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def places(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the series and the origins of windows by their numbers."""
        rows = np.searchsorted(self.ends, numbers, side="right")
        return rows, self.first[rows] + numbers - (self.ends - self.counts)[rows]

    def batch(self, numbers: np.ndarray, size: int) -> Batch:
        """Return windows as a batch, filled up with the first at weight 0."""
        fill = max(size - len(numbers), 0)
        numbers = np.concatenate([numbers, np.repeat(numbers[:1], fill)])
        rows, origins = self.places(numbers)
        window = self.shape.cut(self.series, rows, origins)
        targets = self.shape.targets(self.series, rows, origins, window)
        inputs = {
            "source_values": window.source,
            "decoder_input_values": shift_values(without_gaps(targets)),
        }
        if window.known.shape[2]:
            inputs["decoder_features"] = window.known
        weights = self.series.weights[rows].astype(np.float32)
        weights[len(numbers) - fill :] = 0
        weights = np.repeat(weights[:, None], self.shape.horizon, axis=1)
        return inputs, targets, weights

    @property
    def widths(self) -> tuple[int, ...]:
        """The length of each input."""
        return (self.shape.history, self.shape.horizon)


class WindowBatches(BucketedBatches):
    """Batches of windows that are cut as they are used.

    An epoch takes `num_windows` of them, drawn anew, or all in a drawn order where
    there are no more. What is kept in memory are the series.

    Parameters
    ----------
    windows : Windows
    num_windows : int
    batch_size : int
    shuffle : bool, default True
        Otherwise the same windows, evenly spread, come in each epoch.
    random_state : int or numpy.random.Generator, optional
    """

    def __init__(
        self,
        windows: Windows,
        num_windows: int,
        *,
        batch_size: int,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        self.num_windows = min(num_windows, len(windows))
        super().__init__(
            [windows], [batch_size], shuffle=shuffle, random_state=random_state
        )

    def _draw_rows(self, bucket: int, *, shuffle: bool) -> np.ndarray:
        total, wanted = len(self._buckets[bucket]), self.num_windows
        if not shuffle:
            return np.linspace(0, total - 1, wanted).astype(np.int64)
        if wanted == total:
            return self._rng.permutation(total)
        return self._rng.integers(total, size=wanted)

    def __len__(self) -> int:
        return -(-self.num_windows // self.batch_sizes[0])


def season_errors(series: RaggedValues, seasons: Sequence[int]) -> list[float]:
    """Return of each season how far values are from those of a season before.

    The mean absolute difference over that of all of the series' values from their mean,
    the mean over the series; infinite where no series has a season before.
    """
    errors: list[float] = []
    for season in seasons:
        shares = []
        for values in series:
            if len(values) > season:
                spread = np.nanmean(np.abs(values - np.nanmean(values, axis=0)))
                change = np.nanmean(np.abs(values[season:] - values[:-season]))
                if spread > 0:
                    shares.append(change / spread)
        errors.append(float(np.mean(shares)) if shares else np.inf)
    return errors
