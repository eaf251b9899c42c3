"""From series as they are read to the windows that a forecaster learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kseq2seq.arguments import written
from kseq2seq.batching import Series, Window, Windows, WindowShape, season_errors
from kseq2seq.codec import Scale, SeriesCodec, find_season_lengths
from kseq2seq.estimators.series_data import SeriesData
from kseq2seq.estimators.settings import ForecasterSettings, SeriesSettings
from kseq2seq.ragged import RaggedValues


class WindowExamples:
    """The windows of series that a fit learns from, or validates on.

    Parameters
    ----------
    windows : Windows
    most : int
        How many an epoch uses at most.
    """

    def __init__(self, windows: Windows, most: int) -> None:
        self.windows = windows
        self._number = min(len(windows), most)

    def __len__(self) -> int:
        return self._number

    @property
    def sources(self) -> RaggedValues:
        """The series; with the next, what tells these examples from others."""
        return self.windows.series.values

    @property
    def targets(self) -> np.ndarray:
        """The windows of each series and what stands beside the series, in a row."""
        series = self.windows.series
        beside = [] if series.covariates is None else [series.covariates.flat.ravel()]
        beside += [] if series.static is None else [series.static.ravel()]
        return np.concatenate([self.windows.first, self.windows.counts, *beside])

    @property
    def weights(self) -> np.ndarray:
        """The weight of each series."""
        return self.windows.series.weights


def learn_codec(
    settings: ForecasterSettings, data: SeriesData, static: np.ndarray | None
) -> SeriesCodec:
    """Return what a fit learns of its series beside the weights.

    Raises
    ------
    ValueError
        When settings mean nothing to these series.
    """
    lengths, horizon = data.values.lengths, settings.horizon
    short = int(lengths.argmin())
    if lengths[short] < horizon + 1:
        raise ValueError(
            f"series must be longer than horizon={horizon}; {data.name_of(short)} has "
            f"{lengths[short]} frames. Leave it out, or forecast fewer."
        )
    for i, values in enumerate(data.values):
        if np.isnan(values).all():
            raise ValueError(
                f"{data.name_of(i)} holds nothing but NaN, of which nothing is "
                "learned. Leave it out."
            )
    seasons = _seasons(settings, data)
    history = settings.history
    if history is None:
        usual = max(max(seasons, default=0), 2 * horizon)
        history = int(min(usual, max(int(np.median(lengths)) - horizon, 1)))
    if (longest := max(seasons, default=0)) > history:
        raise ValueError(
            f"a season of {longest} is longer than history={history}. Raise history, "
            "or leave the season out of season_lengths."
        )
    base_season = _base_season(data, seasons)
    names, num_known = _covariates(settings.past_covariates, data.covariate_names)
    allows_nan = settings.missing == "mask"
    return SeriesCodec(
        kind=data.kind,
        num_targets=data.values.num_features,
        covariate_names=names,
        given_names=list(data.covariate_names),
        num_known=num_known,
        num_static=0 if static is None else static.shape[1],
        history=history,
        horizon=horizon,
        seasons=seasons,
        base_season=base_season,
        num_base_seasons=history // base_season if base_season else 0,
        has_gaps=allows_nan or bool((lengths < history + horizon).any()),
        allows_nan=allows_nan,
        frequency=None if data.frequency is None else data.frequency.name,
        scaling=settings.scaling,
        targets=_scale(data.values.flat, data.values.num_features, settings.scaling),
        covariates=_covariate_scale(data, names),
        static=_scale(static, 0),
    )


def _seasons(settings: SeriesSettings, data: SeriesData) -> list[int]:
    """Return the seasons that are asked for, or those that are found."""
    if settings.season_lengths != "auto":
        return sorted(int(length) for length in settings.season_lengths)
    columns = [values[:, k] for values in data.values for k in range(values.shape[1])]
    longest = settings.history
    if longest is None:  # two of it, and what they are to foretell, must be there
        longest = (int(np.median(data.values.lengths)) - settings.horizon) // 2
    return list(find_season_lengths(columns, max(longest, 1)))


def _base_season(data: SeriesData, seasons: Sequence[int]) -> int | None:
    """Return the season whose values come nearest to those that follow."""
    if not seasons:
        return None
    errors = season_errors(data.values, seasons)
    return seasons[int(np.argmin(errors))]


def _covariates(
    past: Sequence[str | int], names: Sequence[str]
) -> tuple[list[str], int]:
    """Return the covariates, those that are known ahead first, and their number."""
    only_past = {str(name) for name in past}
    unknown = sorted(only_past - set(names))
    if unknown:
        raise ValueError(
            f"past_covariates names {written(unknown)}, and the covariates are "
            f"{written(list(names))}."
        )
    known = [name for name in names if name not in only_past]
    return known + [name for name in names if name in only_past], len(known)


def _scale(
    frames: np.ndarray | None, width: int, scaling: str | None = "feature"
) -> Scale:
    if frames is None or scaling is None:
        return Scale(np.zeros(width), np.ones(width))
    return Scale.of_features(frames)


def _covariate_scale(data: SeriesData, names: Sequence[str]) -> Scale:
    if data.covariates is None:
        return _scale(None, 0)
    ordered = _ordered(data, names)
    ends = zip(ordered, data.values.lengths, strict=True)
    return Scale.of_features(np.concatenate([one[:end] for one, end in ends]))


def _ordered(data: SeriesData, names: Sequence[str]) -> RaggedValues:
    """Return the covariates in an order of names."""
    given = data.covariates
    if given is None:
        raise ValueError(f"covariates are missing: {written(list(names))}.")
    places = [list(data.covariate_names).index(name) for name in names]
    return RaggedValues(given.flat[:, places], given.lengths)


def shape_of(codec: SeriesCodec) -> WindowShape:
    """Return how windows are cut."""
    return WindowShape(
        history=codec.history,
        horizon=codec.horizon,
        seasons=tuple(codec.seasons),
        base_season=codec.base_season,
        num_base_seasons=codec.num_base_seasons,
        num_known=codec.num_known,
        scale=None if codec.scaling == "window" else codec.targets,
    )


def as_series(
    codec: SeriesCodec, data: SeriesData, static: np.ndarray | None
) -> Series:
    """Return series with scaled covariates.

    Raises
    ------
    ValueError
        When they have other targets, covariates or static features than in fit.
    """
    if data.values.num_features != codec.num_targets:
        raise ValueError(
            f"series must have {codec.num_targets} targets, as in fit; got "
            f"{data.values.num_features}."
        )
    if sorted(data.covariate_names) != sorted(codec.covariate_names):
        raise ValueError(
            f"covariates must be {written(sorted(codec.covariate_names))}, as in fit; "
            f"got {written(sorted(data.covariate_names))}."
        )
    width = 0 if static is None else static.shape[1]
    if width != codec.num_static:
        raise ValueError(
            f"static must have {codec.num_static} features, as in fit; got {width}."
        )
    covariates = None
    if codec.covariate_names:
        ordered = _ordered(data, codec.covariate_names)
        scaled = codec.covariates.apply(ordered.flat)
        covariates = RaggedValues(scaled, ordered.lengths)
    scaled_static = None if static is None else codec.static.apply(static)
    return Series(data.values, covariates, scaled_static, np.ones(len(data)))


def check_covers(codec: SeriesCodec, data: SeriesData, ahead: int) -> None:
    """Raise unless covariates reach as far as they must beyond each series."""
    if data.covariates is None:
        return
    needed = data.values.lengths + (ahead if codec.num_known else 0)
    short = np.flatnonzero(data.covariates.lengths < needed)
    if len(short):
        i = short[0]
        what = f"the series and {ahead} more" if ahead else "the series"
        raise ValueError(
            f"covariates must have a frame for each of {what}: covariates[{i}] has "
            f"{data.covariates.lengths[i]} frames, expected at least {needed[i]}."
        )


def split_windows(
    codec: SeriesCodec, series: Series, fraction: float
) -> tuple[Windows, Windows]:
    """Return the windows to learn from, and the last ones of each series, held back.

    No answer of the former reaches into what the latter answer.
    """
    shape, lengths = shape_of(codec), series.values.lengths.astype(np.int64)
    stop = lengths - codec.horizon + 1
    first = np.clip(np.minimum(codec.history, stop - 1), 1, None)
    held = np.zeros_like(stop)
    if fraction:
        held = np.maximum((fraction * (stop - first)).astype(np.int64), 1)
    last = np.where(held > 0, stop - held - codec.horizon + 1, stop)
    if fraction and not (last > first).any():
        raise ValueError(
            f"validation_fraction={fraction:g} leaves no window to learn from: the "
            f"longest series has {lengths.max()} frames, and a window takes "
            f"{codec.history + codec.horizon}. Pass validation_fraction=0."
        )
    return (
        Windows(series, shape, first, last),
        Windows(series, shape, stop - held, stop),
    )


def check_has_values(
    codec: SeriesCodec, data: SeriesData, rows: np.ndarray, origins: np.ndarray
) -> None:
    """Raise unless what each forecast is made from has a value."""
    for row, origin in zip(rows, origins, strict=True):
        read = data.values[row][max(origin - codec.history, 0) : origin]
        if np.isnan(read).all():
            raise ValueError(
                f"a forecast is made from the last {codec.history} frames, and those "
                f"of {data.name_of(row)} before place {origin} are all NaN. Leave it "
                "out, or end it where values are known."
            )


def in_units(answers: dict[str, np.ndarray], window: Window) -> dict[str, np.ndarray]:
    """Return answers, scaled differences from a base, in the units of the series."""
    named = {"values": window.scale.undo(answers["values"] + window.base)}
    if "quantiles" in answers:
        each = Scale(*(part[..., None] for part in window.scale))
        named["quantiles"] = each.undo(answers["quantiles"] + window.base[..., None])
    return named


def last_frames(data: SeriesData, codec: SeriesCodec) -> SeriesData:
    """Return what forecasts of these series need to be made from: their ends."""
    lengths = data.values.lengths
    values = [one[-codec.reach :] for one in data.values]
    covariates = None
    if data.covariates is not None:
        starts = np.maximum(lengths - codec.reach, 0)
        covariates = RaggedValues.of(
            [
                one[start:length]
                for one, start, length in zip(
                    data.covariates, starts, lengths, strict=True
                )
            ]
        )
    return replace(data, values=RaggedValues.of(values), covariates=covariates)


def with_future(
    data: SeriesData, future: RaggedValues, codec: SeriesCodec
) -> SeriesData:
    """Return series whose covariates go on with what is known ahead.

    The future has all covariates, in the order of the data's, or the known ones alone.
    """
    own = data.covariates
    names = list(data.covariate_names)
    known = [name for name in names if name in codec.covariate_names[: codec.num_known]]
    if future.num_features not in (len(names), len(known)) or own is None:
        raise ValueError(
            f"covariates ahead must have the {len(known)} features {written(known)}; "
            f"got {future.num_features}."
        )
    columns = known if future.num_features == len(known) else names
    places = [names.index(name) for name in columns]
    joined = []
    for i in range(len(data)):
        past = own[i][: data.values.lengths[i]]
        ahead = np.full((len(future[i]), len(names)), np.nan)
        ahead[:, places] = future[i]
        joined.append(np.concatenate([past, ahead]))
    return replace(data, covariates=RaggedValues.of(joined))


def at_levels(
    quantiles: np.ndarray, levels: Sequence[float], wanted: Sequence[float]
) -> np.ndarray:
    """Return quantiles at other levels, by straight lines between those beside."""
    found: list[Any] = []
    for level in wanted:
        right = int(np.clip(np.searchsorted(levels, level), 1, len(levels) - 1))
        left = right - 1
        share = (level - levels[left]) / (levels[right] - levels[left])
        share = float(np.clip(share, 0.0, 1.0))
        found.append((1 - share) * quantiles[..., left] + share * quantiles[..., right])
    return np.stack(found, axis=-1)
