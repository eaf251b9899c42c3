"""Regression of real-valued sequences with scikit-learn's fit, predict and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from kseq2seq.arguments import check_lengths, check_sample_weight, has_order
from kseq2seq.batching import BucketedBatches, ValueBatches
from kseq2seq.codec import SourceValues, TargetValues
from kseq2seq.declarations import documented
from kseq2seq.estimators.base import Encoded
from kseq2seq.estimators.examples import (
    Examples,
    FitData,
    Task,
    check_validation_data,
)
from kseq2seq.estimators.fitting import fit_estimator, fit_pass
from kseq2seq.estimators.settings import RegressorSettings, ValueModelSettings
from kseq2seq.estimators.value_estimator import ValueEstimator


@documented()
class SequenceRegressor(RegressorSettings, ValueEstimator):
    """Learn sequences of real values from sequences of real values.

    X is an array ``(n, len, features)``, or ``(n, len)`` of single values, or a list of
    arrays ``(len, features)`` or ``(len,)`` of different lengths. y is an array ``(n,
    horizon, targets)``; or ``(n, targets)`` or ``(n,)``, one frame or one value of each
    sequence. An encoder reads the sequence, a decoder answers the frames.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    models_ : list of Seq2SeqModels
        As many as `n_estimators`; they compute in scaled values.
    history_ : dict of str to list of float
        What each epoch measured, by name, of scaled values: ``loss``,
        ``absolute_error`` and, with validation, the same with ``val_`` before it.
    callbacks_ : list of keras.callbacks.Callback
    n_features_in_ : int
        The columns of X, where it was a table ``(n, len)``; tables to predict must have
        as many.

    Examples
    --------
    A sine, four values ahead from the last twelve:

    >>> import numpy as np
    >>> from kseq2seq import SequenceRegressor
    >>> wave = np.sin(np.arange(300) * 0.4)
    >>> windows = np.lib.stride_tricks.sliding_window_view(wave, 16)
    >>> X, y = windows[:, :12, None], windows[:, 12:, None]
    >>> regressor = SequenceRegressor(units=16, epochs=40, random_state=0)
    >>> regressor.fit(X[:200], y[:200]).predict(X[200:]).shape
    (85, 4, 1)
    >>> bool(regressor.score(X[200:], y[200:]) > 0.9)  # R2
    True
    """

    n_features_in_: int

    _model_group = ValueModelSettings

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: Sequence[Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from sequences and their targets; with `warm_start` continuing.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator.

        Parameters
        ----------
        X : array ``(n, len, features)`` or ``(n, len)``, or list of arrays
        y : array ``(n, horizon, targets)``, ``(n, targets)`` or ``(n,)``
        sample_weight : sequence of float ``(n,)``, optional
            How much each counts, in training, validation and early stopping; at least
            0. One of weight 0 might as well not be there.
        validation_data : (X, y) or (X, y, sample_weight), optional
            What to validate on; a held-back part of the data when None.
        checkpoint : str or path, optional
            A model file to write after each epoch, and to resume from if it exists; see
            :meth:`kseq2seq.Seq2SeqEstimator.fit`.

        Returns
        -------
        SequenceRegressor
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
        data = FitData(
            X,
            y,
            sample_weight=sample_weight,
            validation_data=check_validation_data(validation_data),
        )
        fit_estimator(self, data, checkpoint=checkpoint)
        return self

    def partial_fit(
        self, X: Any, y: Any, *, sample_weight: Sequence[float] | None = None
    ) -> Self:
        """Learn from one pass over data, starting from what was learned before.

        The first call learns how values are scaled, as `fit` does. The optimizer
        continues, at its full rate; nothing is held back.

        Parameters
        ----------
        X : array ``(n, len, features)`` or ``(n, len)``, or list of arrays
        y : array ``(n, horizon, targets)``, ``(n, targets)`` or ``(n,)``
        sample_weight : sequence of float ``(n,)``, optional

        Returns
        -------
        SequenceRegressor
            This estimator, with the history of this pass.

        Raises
        ------
        ValueError, TypeError
            As `fit`; what was learned before is kept.
        """
        fit_pass(self, FitData(X, y, sample_weight=sample_weight))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return what follows from each sequence, in the shape that y had.

        Parameters
        ----------
        X : array ``(n, len, features)`` or ``(n, len)``, or list of arrays
            Of the features that `fit` saw, of any length.

        Returns
        -------
        numpy.ndarray
            float64 ``(n, horizon, targets)``, ``(n, targets)`` or ``(n,)``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X is not as described.
        """
        sources = self._sources(X)
        return self._target.decode(self._answers(sources)["values"])

    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Return the quantiles that `quantiles` names, of each value.

        Parameters and errors as in :meth:`predict`.

        Returns
        -------
        numpy.ndarray
            Of the shape of :meth:`predict` and one more axis, ``(..., levels)``, along
            which values rise.

        Raises
        ------
        ValueError
            When it was fitted without quantiles.
        """
        sources = self._sources(X)
        self._check_quantiles()
        return self._target.decode(self._answers(sources)["quantiles"])

    def score(
        self, X: Any, y: Any, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Return the coefficient of determination, R2, the mean over all values of y.

        1 is best; 0 is as good as answering the mean of y.

        Parameters
        ----------
        X : array ``(n, len, features)`` or ``(n, len)``, or list of arrays
        y : array
            As in :meth:`fit`. Sequences whose targets are missing are left out.
        sample_weight : sequence of float, optional

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            As `predict`, and when y has another shape than in `fit`.
        """
        answers = self._answers(self._sources(X))["values"]
        targets = self._target.encode(y)
        check_lengths(len(answers), len(targets))
        weights = check_sample_weight(sample_weight, len(targets))
        answers, targets = (each.reshape(len(each), -1) for each in (answers, targets))
        there = ~np.isnan(targets).any(axis=1)
        return float(
            r2_score(targets[there], answers[there], sample_weight=weights[there])
        )

    def _sources(self, X: Any) -> Any:
        """Return the sources of a call, checked."""
        self._check_fitted()
        return self._source.encode(self._as_table(X, reset=False))

    def _as_table(self, X: Any, *, reset: bool) -> Any:
        """Return X; note or check the columns of a table, as scikit-learn does.

        A table is an array or a DataFrame of two axes.
        """
        if getattr(X, "ndim", None) != 2:
            if not reset or isinstance(X, list) or not has_order(X):
                return X
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
            return X
        if not reset and not hasattr(self, "n_features_in_"):
            return X
        return validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite=False
        )

    # What an estimator is: see the base.

    def _read_stream(self, data: FitData, known: Sequence[Any]) -> Task:
        raise ValueError(  # in scikit-learn's words
            f"{type(self).__name__} requires y to be passed, but the target y is None."
        )

    def _encode(self, data: FitData, known: Sequence[Any]) -> Sequence[Encoded]:
        X = self._as_table(data.X, reset=not data.continues)
        options = {"allows_nan": self.missing == "mask"}
        source, target = known
        if source is None:
            learned = SourceValues.learn(X, **options)
            return learned, TargetValues.learn(data.y, **options)
        return (source, source.encode(X)), (target, target.encode(data.y))

    def _batches(self, examples: Examples, **options: Any) -> BucketedBatches:
        scale = self._scaling.of_targets(examples.sources)
        return ValueBatches(
            self._scaling.scaled_sources(examples.sources),
            scale.apply(examples.targets),
            first_values=self.first_values,
            allows_nan=True,
            **options,
        )

    def _description(self) -> dict[str, Any]:
        described = super()._description()
        if hasattr(self, "n_features_in_"):
            described["values"]["columns"] = self.n_features_in_
        return described

    def _read_description(self, description: Mapping[str, Any]) -> None:
        super()._read_description(description)
        if "columns" in description["values"]:
            self.n_features_in_ = description["values"]["columns"]

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn of three axes, several targets, and whether NaN may be."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing == "mask"
        tags.target_tags.multi_output = True
        return tags
