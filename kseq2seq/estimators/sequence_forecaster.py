"""Forecasts of time series with fit, predict and backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from kseq2seq.answering import generate_values
from kseq2seq.arguments import check_real, written
from kseq2seq.batching import BucketedBatches, Series, WindowBatches
from kseq2seq.codec import SeriesCodec, TargetValues
from kseq2seq.declarations import checked, documented, taken
from kseq2seq.estimators.backtests import Backtest, backtest
from kseq2seq.estimators.examples import FitData, Task
from kseq2seq.estimators.fitting import fit_estimator
from kseq2seq.estimators.series_data import (
    SeriesData,
    arrays_of,
    series_of,
    time_to_json,
)
from kseq2seq.estimators.series_reading import (
    read_covariates,
    read_series,
    read_static,
)
from kseq2seq.estimators.series_table import is_table, read_future, table_of
from kseq2seq.estimators.series_windows import (
    WindowExamples,
    as_series,
    at_levels,
    check_covers,
    check_has_values,
    in_units,
    last_frames,
    learn_codec,
    shape_of,
    split_windows,
    with_future,
)
from kseq2seq.estimators.settings import (
    ForecasterModelSettings,
    ForecasterSettings,
    ForecasterTrainingSettings,
)
from kseq2seq.estimators.value_estimator import ValueEstimator
from kseq2seq.ragged import RaggedValues
from kseq2seq.training import Trainer, TrainingSettings

UPDATES_AN_EPOCH = 200
"""An epoch has no more batches than this, drawn anew from all windows."""
_BLOCK = 1024
"""So many windows are cut at once."""


@documented()
class SequenceForecaster(ForecasterSettings, ValueEstimator):
    """Learn to forecast time series: one model for all series that it is given.

    Series are an array ``(len,)`` or ``(len, targets)``, several of these in a list, of
    different lengths; or a DataFrame in long form with the columns ``unique_id``,
    ``ds`` and ``y``, and covariates beside them. An encoder reads the last `history`
    frames, a decoder answers `horizon` frames. Of each it knows the value of the last
    season before, the covariates that are known ahead, and the mean of the frames one
    season before, two, and so on through the history; its answer is a difference from
    that mean. It is trained on windows drawn from all places of all series.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    history_length_ : int
        How many frames a forecast is made from.
    season_lengths_ : list of int
        The seasons that are used.
    models_ : list of Seq2SeqModels
        As many as `n_estimators`; they compute in scaled differences.
    history_ : dict of str to list of float
        What each epoch measured, by name, of scaled values: ``loss``,
        ``absolute_error`` and, with validation, the same with ``val_`` before it.
    callbacks_ : list of keras.callbacks.Callback

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq import SequenceForecaster
    >>> days = np.arange(400)
    >>> sales = 50 + 10 * np.sin(days * 2 * np.pi / 7) + 0.05 * days
    >>> forecaster = SequenceForecaster(
    ...     horizon=14, units=16, epochs=5, random_state=0
    ... )
    >>> forecaster.fit(sales[:-14]).predict().shape
    (14,)
    >>> forecaster.season_lengths_
    [7]
    >>> bool(np.abs(forecaster.predict() - sales[-14:]).max() < 2)
    True
    """

    _model_group = ForecasterModelSettings
    history_length_: int
    season_lengths_: list[int]
    _source: Any
    _series: SeriesData
    _static: np.ndarray | None

    def fit(
        self,
        series: Any,
        covariates: Any = None,
        *,
        static: Any = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from series; without `warm_start` what was learned before is forgotten.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted forecaster.

        Parameters
        ----------
        series : array, list of arrays or DataFrame
            Each of at least `horizon` and one frames more; a little longer than
            `history` and `horizon` together, to be learned from fully. NaN, with
            ``missing="mask"``, is a value that is missing.
        covariates : array ``(len, covariates)``, or list of arrays, optional
            What else is known at each frame, of each series; of a DataFrame its other
            columns.
        static : array ``(n_series, features)``, optional
            What is known of each series and does not change, as numbers.
        checkpoint : str or path, optional
            A model file to write after each epoch, and to resume from if it exists; see
            :meth:`kseq2seq.Seq2SeqEstimator.fit`.

        Returns
        -------
        SequenceForecaster
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described, before any model is built.
        OSError
            When the checkpoint cannot be written, or another training has it.
        FloatingPointError
            When training diverges; what was learned before this fit is kept.
        """
        checked(self, "missing")
        read = read_series(series, covariates, allows_nan=self.missing == "mask")
        features = None if static is None else read_static(static, len(read))
        self._fit_on(read, features, checkpoint=checkpoint)
        return self

    def _fit_on(
        self,
        data: SeriesData,
        static: np.ndarray | None,
        *,
        checkpoint: str | Path | None = None,
    ) -> None:
        """Learn from series that are read."""
        fit_estimator(self, FitData((data, static)), checkpoint=checkpoint)

    def predict(
        self, series: Any = None, covariates: Any = None, *, static: Any = None
    ) -> Any:
        """Return what follows each series.

        Parameters
        ----------
        series : array, list of arrays or DataFrame, optional
            What came before; the series of `fit` when None. Of at least
            ``history_length_`` frames, unless the forecaster has learned from series
            with gaps, or shorter ones.
        covariates : array, list of arrays or DataFrame, optional
            Where the forecaster knows some ahead, those of the series' frames and of
            `horizon` frames more; without series, or for a DataFrame, of these alone.
        static : array ``(n_series, features)``, optional
            As in `fit`, of other series.

        Returns
        -------
        numpy.ndarray, list of numpy.ndarray or DataFrame
            ``(horizon,)``, or ``(horizon, targets)``, for each series, in the kind that
            `fit` was given; of a DataFrame the columns ``unique_id``, ``ds`` and ``y``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When data are not as described.
        """
        data, answers = self._answer(series, covariates, static)
        return self._given_back(data, answers["values"])

    def predict_quantiles(
        self, series: Any = None, covariates: Any = None, *, static: Any = None
    ) -> Any:
        """Return the quantiles that `quantiles` names, of each value.

        Parameters and errors as in :meth:`predict`. Arrays have one more axis,
        ``(..., levels)``, along which values rise; a DataFrame has a column for each
        level, ``q0.1`` for instance.
        """
        levels = self._levels()
        data, answers = self._answer(series, covariates, static)
        columns = [f"q{level:g}" for level in levels]
        return self._given_back(data, answers["quantiles"], columns)

    def predict_interval(
        self,
        series: Any = None,
        covariates: Any = None,
        *,
        level: float = 0.95,
        static: Any = None,
    ) -> Any:
        """Return the bounds between which the share `level` of values should lie.

        They are quantiles, between two levels by a straight line.

        Parameters
        ----------
        series, covariates, static
            As in :meth:`predict`.
        level : float, default 0.95
            Above 0 and below 1, within what `quantiles` span.

        Returns
        -------
        pair of what :meth:`predict` returns
            The lower and the upper bounds; of a DataFrame one, with the columns
            ``lower`` and ``upper``.
        """
        levels = self._levels()
        tail = (1 - check_real("level", level, maximum=1.0, exclusive=True)) / 2
        wanted = (tail, 1 - tail)
        if wanted[0] < levels[0] - 1e-9 or wanted[1] > levels[-1] + 1e-9:
            raise ValueError(
                f"level={level:g} needs the quantiles {wanted[0]:g} and {wanted[1]:g}; "
                f"this forecaster has {written(levels)}. Fit it with these."
            )
        data, answers = self._answer(series, covariates, static)
        bounds = at_levels(answers["quantiles"], levels, wanted)
        if data.kind == "table":
            return self._given_back(data, bounds, ["lower", "upper"])
        lower, upper = (self._given_back(data, bounds[..., i]) for i in (0, 1))
        return lower, upper

    def _levels(self) -> list[float]:
        self._check_fitted()
        return self._check_quantiles()

    def _answer(
        self, series: Any, covariates: Any, static: Any
    ) -> tuple[SeriesData, dict[str, np.ndarray]]:
        """Return series, and what follows each: values, quantiles if there are any."""
        self._check_fitted()
        if series is None and static is not None:
            raise TypeError("the series of fit have their static; leave it out.")
        data = self._with_covariates(series, covariates)
        features = self._static
        if series is not None:
            features = None if static is None else read_static(static, len(data))
        check_covers(self._source, data, self._source.horizon)
        origins = data.values.lengths.astype(np.int64)
        return data, self._forecasts(data, features, np.arange(len(data)), origins)

    def _with_covariates(self, series: Any, covariates: Any) -> SeriesData:
        """Return series, those of fit if None, with covariates as far as known."""
        codec, data = self._source, self._series
        if series is not None:
            beside = None if is_table(series) else covariates
            data = read_series(series, beside, allows_nan=codec.allows_nan)
            if data.kind == "table" and data.frequency != self._series.frequency:
                raise ValueError(
                    f"the series of fit have the frequency {codec.frequency!r}; these "
                    f"have {data.frequency.name if data.frequency else None!r}."
                )
        if series is not None and data.kind != "table":
            return data
        lacking = set(codec.covariate_names) - set(data.covariate_names)
        if lacking:
            raise ValueError(
                f"the series lack the covariates {written(sorted(lacking))}, which fit "
                "had."
            )
        if not codec.num_known:
            if covariates is not None:
                raise ValueError(
                    "covariates are given, and this forecaster knows none ahead. Leave "
                    "them out, or fit with them, and not among past_covariates."
                )
            return data
        if covariates is None:
            names = codec.covariate_names[: codec.num_known]
            raise ValueError(
                f"covariates are missing: {written(names)} are known ahead, and a "
                f"forecast needs {codec.horizon} frames more of them. Pass covariates "
                "(--future), or fit with them among past_covariates."
            )
        if data.kind == "table":
            known = codec.covariate_names[: codec.num_known]
            names = [name for name in data.covariate_names if name in known]
            future = read_future(covariates, data, names, codec.horizon)
        else:
            future = read_covariates(
                covariates, data.kind, len(data), allows_nan=codec.allows_nan
            )
        return with_future(data, future, codec)

    def _forecasts(
        self,
        data: SeriesData,
        static: np.ndarray | None,
        rows: np.ndarray,
        origins: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Return forecasts from places of series, in their units."""
        codec: SeriesCodec = self._source
        series = as_series(codec, data, static)
        short = np.flatnonzero(origins < codec.history)
        if len(short) and not codec.has_gaps:
            i = rows[short[0]]
            raise ValueError(
                f"a forecast is made from {codec.history} frames; {data.name_of(i)} "
                f"has {origins[short[0]]}. Pass longer series, or fit with a smaller "
                "history."
            )
        check_has_values(codec, data, rows, origins)
        parts = [
            self._block(series, rows[i : i + _BLOCK], origins[i : i + _BLOCK])
            for i in range(0, len(rows), _BLOCK)
        ]
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _block(
        self, series: Series, rows: np.ndarray, origins: np.ndarray
    ) -> dict[str, np.ndarray]:
        window = shape_of(self._source).cut(series, rows, origins)
        answers = generate_values(
            self._generator,
            RaggedValues.of_array(window.source),
            window.known if window.known.shape[2] else None,
            has_gaps=self._source.has_gaps,
        )
        return in_units(answers, window)

    def _given_back(
        self, data: SeriesData, answers: np.ndarray, columns: Sequence[str] = ()
    ) -> Any:
        """Return answers ``(n_series, horizon, targets, ...)`` as series were given."""
        if data.kind == "table":
            named = columns or ["y"]
            return table_of(
                data, answers[:, :, 0].reshape(*answers.shape[:2], -1), named
            )
        if self._source.num_targets == 1:
            answers = answers[:, :, 0]
        return answers[0] if data.kind == "array" else list(answers)

    def backtest(
        self,
        series: Any,
        covariates: Any = None,
        *,
        static: Any = None,
        windows: int = 10,
        step: int | None = None,
    ) -> Backtest:
        """Return how good forecasts of the ends of series are, with figures beside.

        A copy of this forecaster is fitted on what lies before the first window, and
        forecasts each window from all that lies before it. The seasonal naive forecast,
        the values of the last season, or the last value where there is no season, is
        measured beside it.

        Parameters
        ----------
        series, covariates, static
            As in :meth:`fit`.
        windows : int, default 10
        step : int, optional
            How far the windows are apart; `horizon` when None. The last ends where the
            series end.

        Returns
        -------
        Backtest

        Raises
        ------
        ValueError, TypeError
            As `fit`, and where series are too short for so many windows.
        """
        return backtest(
            self, series, covariates, static=static, windows=windows, step=step
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the forecasts of series `X` against what followed, `y`.

        Of arrays and lists; of tables :meth:`backtest` says how good forecasts are.

        Raises
        ------
        TypeError
            When they are tables.
        """
        if is_table(X) or is_table(y):
            raise TypeError(
                "score compares arrays, and these are tables. Use backtest, which fits "
                "on what lies before and measures the ends of the series."
            )
        return float(super().score(X, y, sample_weight))

    # What an estimator is: see the base.

    def _read(
        self,
        data: FitData,
        known: Sequence[Any],
        trainer: Trainer,
        rng: np.random.Generator,
    ) -> Task:
        read, features = data.X
        codec = known[0] or learn_codec(self, read, features)
        self._check_kind(codec, read)
        check_covers(codec, read, 0)
        self._series, self._static = last_frames(read, codec), features
        prepared = as_series(codec, read, features)
        fraction = trainer.settings.validation_fraction
        training, validation = split_windows(codec, prepared, fraction)
        most = UPDATES_AN_EPOCH * self.windows_a_batch(len(training))
        return Task(
            codec,
            _targets(codec),
            WindowExamples(training, most),
            WindowExamples(validation, most),  # type: ignore[arg-type]
        )

    def _check_kind(self, codec: SeriesCodec, data: SeriesData) -> None:
        """Raise where a fit goes on with series of another kind or frequency."""
        frequency = None if data.frequency is None else data.frequency.name
        if (data.kind, frequency) != (codec.kind, codec.frequency):
            before, now = (
                kind if name is None else f"{kind} of frequency {name!r}"
                for kind, name in (
                    (codec.kind, codec.frequency),
                    (data.kind, frequency),
                )
            )
            raise ValueError(
                f"a fit that goes on takes series as before: {before}; got {now}."
            )

    def _training_settings(self, **changes: Any) -> ForecasterTrainingSettings:
        return taken(ForecasterTrainingSettings, self, **changes)

    def _check_task(self, task: Task, settings: TrainingSettings) -> None:
        """Accept: the codec was learned from the same data and settings."""

    def _limit(self, task: Task, *, continues: bool) -> None:
        self._set_lengths(task.source)

    def _set_lengths(self, codec: SeriesCodec) -> None:
        self.history_length_ = codec.history
        self.season_lengths_ = list(codec.seasons)

    @property
    def _sizes(self) -> dict[str, Any]:
        codec: SeriesCodec = self._source
        return {
            "source_features": codec.num_read,
            "target_features": codec.num_targets,
            "decoder_features": codec.num_ahead,
            "mask_nan": codec.has_gaps,
        }

    def _description(self) -> dict[str, Any]:
        return {
            "series": {
                **self._source.to_json(),
                "names": list(self._series.names),
                "last_times": [time_to_json(t) for t in self._series.last_times],
            }
        }

    def _read_description(self, description: Mapping[str, Any]) -> None:
        described = dict(description["series"])
        self._kept = [described.pop(name) for name in ("names", "last_times")]
        codec = SeriesCodec.from_json(described)
        codec.check()
        self._source = codec
        self._target = _targets(codec)
        self._set_lengths(codec)

    @property
    def _own_array_names(self) -> Sequence[str]:
        return [f"series/{name}" for name in self._source.array_names]

    def _own_arrays(self) -> dict[str, np.ndarray]:
        return arrays_of(self._series, self._static)

    def _take_own_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        names, times = self.__dict__.pop("_kept")
        self._series, self._static = series_of(self._source, arrays, names, times)

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        raise ValueError(
            "a forecaster cuts and scales windows outside of its models, which an "
            "exported model would lack. Save it, and load it where kseq2seq is."
        )

    def _batch_size(self, examples: Any) -> int:
        return min(self.windows_a_batch(len(examples.windows)), len(examples))

    def _batches(self, examples: Any, **options: Any) -> BucketedBatches:
        for name in ("num_buckets", "sample_weight"):
            options.pop(name, None)
        return WindowBatches(examples.windows, len(examples), **options)


def _targets(codec: SeriesCodec) -> TargetValues:
    """Return how forecasts are given: ``(n_series, horizon, targets)``."""
    return TargetValues(3, codec.horizon, codec.num_targets, codec.allows_nan)
