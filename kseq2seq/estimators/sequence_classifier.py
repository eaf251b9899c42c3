"""Sequence classification with scikit-learn's fit, predict and predict_proba."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import ClassifierMixin

from kseq2seq.answering import generate
from kseq2seq.arguments import check_lengths, check_sample_weight, written
from kseq2seq.batching import BucketedBatches, LabelBatches
from kseq2seq.builders import build_sequence_classifier
from kseq2seq.builders.architecture import EncoderArchitecture
from kseq2seq.builders.weight_shapes import classifier_shapes
from kseq2seq.codec import LabelCodec, SequenceCodec, as_labels
from kseq2seq.declarations import documented
from kseq2seq.estimators.codecs import source_ids
from kseq2seq.estimators.examples import (
    Examples,
    FitData,
    Task,
    check_validation_data,
)
from kseq2seq.estimators.fitting import fit_estimator, fit_pass
from kseq2seq.estimators.pair_streams import is_stream
from kseq2seq.estimators.settings import ClassifierModelSettings, ClassifierSettings
from kseq2seq.estimators.token_estimator import TokenEstimator
from kseq2seq.training import Crossentropy, Trainer
from kseq2seq.training.callbacks import AttachedCallback
from kseq2seq.vocabulary import Vocabulary


@documented()
class SequenceClassifier(ClassifierSettings, ClassifierMixin, TokenEstimator):
    """Learn to put sequences into classes: many to one.

    X may hold strings, token lists, or rows of integers, or pairs of these and a list
    of features (see :class:`kseq2seq.Seq2SeqEstimator`); y holds one label each, of any
    kind that scikit-learn's classifiers take.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : numpy.ndarray
        The labels, sorted.
    model_ : keras.Model
        ``source_ids`` to logits.
    source_vocabulary_ : Vocabulary
    feature_ids_ : dict of str to int, or None
    history_ : dict of str to list of float
        What each epoch measured, by name: ``loss``, ``accuracy`` and, with validation,
        the same with ``val_`` before it.
    callbacks_ : list of keras.callbacks.Callback

    Examples
    --------
    >>> from kseq2seq import SequenceClassifier
    >>> X, y = ["aab", "abb", "aaab", "bab"] * 8, ["a", "b", "a", "b"] * 8
    >>> classifier = SequenceClassifier(
    ...     units=16, learning_rate=0.02, epochs=30, validation_fraction=0,
    ...     batch_size=8, random_state=0,
    ... )
    >>> print(*classifier.fit(X, y).predict(["aab", "bab"]))
    a b
    """

    model_: keras.Model
    classes_: np.ndarray
    source_vocabulary_: Vocabulary
    feature_ids_: dict[str, int] | None
    _target: LabelCodec
    _probability_model: keras.Model

    _model_group = ClassifierModelSettings
    _not_pickled = ("model_", "_probability_model")

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: Sequence[Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from labelled sequences, anew or with `warm_start` continuing.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        y : sequence of labels ``(n,)``
            Of two classes at least.
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
        SequenceClassifier
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
        self,
        X: Any,
        y: Any,
        classes: Sequence[Any] | None = None,
        *,
        sample_weight: Sequence[float] | None = None,
    ) -> Self:
        """Learn from one pass over the data, starting from what was learned before.

        The first call learns the vocabulary as `fit` does; pass it where the first
        sequences do not show all tokens. The optimizer continues, at its full rate;
        nothing is held back.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        y : sequence of labels ``(n,)``
        classes : sequence of labels, optional
            All that there will be; needed at the first call unless y has them all.
        sample_weight : sequence of float ``(n,)``, optional

        Returns
        -------
        SequenceClassifier
            This estimator, with the history of this pass.

        Raises
        ------
        ValueError, TypeError
            As `fit`, and when classes are not those of the first call.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={written(self.class_weight)} needs all labels, and "
                "partial_fit sees some at a time. Pass the weight of each class: "
                "set_params(class_weight={label: weight})."
            )
        data = FitData(X, y, sample_weight=sample_weight, classes=classes)
        fit_pass(self, data)
        return self

    def score(
        self, X: Any, y: Any, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Return the share of sequences that are put into the right class, 0 to 1.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        y : sequence of label ``(n,)``
        sample_weight : sequence of float, optional

        Returns
        -------
        float
        """
        predictions = self.predict(X)
        labels = as_labels("y", y)
        check_lengths(len(predictions), len(labels))
        weights = check_sample_weight(sample_weight, len(labels))
        return float(np.average(labels == predictions, weights=weights))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            Of the kind that `fit` saw, of any length.

        Returns
        -------
        numpy.ndarray
            ``(n, len(classes_))``, in the order of ``classes_``; each row sums to 1.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X is of another kind, or with ``unknown="error"`` holds a new token.
        """
        self._check_fitted()
        answers = generate(self._probability_model, self._source.encode(X))
        return answers["probabilities"]

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the probability of each class.

        Parameters, shape and errors as in :meth:`predict_proba`; ``-inf`` where a
        probability is 0 in float32.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each sequence, ``(n,)``.

        Parameters and errors as in :meth:`predict_proba`.
        """
        probabilities = self.predict_proba(X)
        return self._target.decode(probabilities.argmax(axis=1))

    # What an estimator is: see the base.

    def _encode(self, data: FitData, known: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
        if is_stream(data.X):
            raise TypeError("X must be a list or an array; got an iterator.")
        source = source_ids(self, data.X, known[0], continues=data.continues)
        target = self._label_codec(data, known[1])
        return source, (target, target.encode(data.y))

    def _weighed(
        self, examples: Examples, given: Examples, target: LabelCodec
    ) -> Examples:
        if self.class_weight is None:
            return examples
        by_class = target.class_weights(self.class_weight, given.targets, given.weights)
        return replace(examples, weights=by_class[examples.targets] * examples.weights)

    def _label_codec(self, data: FitData, known: LabelCodec | None) -> LabelCodec:
        """Return the codec of the classes that are known, given or those of y."""
        given = (
            None if data.classes is None else LabelCodec.learn("classes", data.classes)
        )
        if known is None:
            classes = given or LabelCodec.learn("y", data.y)
            return LabelCodec("y", classes.classes)
        if given and not np.array_equal(given.classes, known.classes):
            raise ValueError(
                f"classes were {written(known.classes.tolist())} at first and are "
                f"{written(given.classes.tolist())}. Leave them out, or fit anew."
            )
        return known

    def _build(self, random_state: Any = None) -> keras.Model:
        return build_sequence_classifier(
            self._source.num_ids,
            self._target.num_ids,
            **self._settings,
            random_state=random_state,
        )

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        architecture = EncoderArchitecture(
            source_vocabulary_size=self._source.num_ids, **self._settings
        )
        return classifier_shapes(architecture, self._target.num_ids)

    def _adopt(self, models: keras.Model) -> None:
        self.classes_ = self._target.classes
        self.source_vocabulary_ = self._source.vocabulary
        self.feature_ids_ = self._source.feature_ids
        if models is self.__dict__.get("model_"):
            return  # with its probabilities, which stay traced
        self.model_ = models
        probabilities = keras.layers.Softmax(dtype="float32")(models.output)
        self._probability_model = keras.Model(
            models.inputs[0], {"probabilities": probabilities}
        )

    @property
    def _models(self) -> keras.Model:
        return self.model_

    @property
    def _network(self) -> keras.Model:
        return self.model_

    def _batches(self, examples: Examples, **options: Any) -> BucketedBatches:
        return LabelBatches(examples.sources, examples.targets, **options)

    def _attach(self, trainer: Trainer, task: Task) -> None:
        for callback in trainer.callbacks:
            if isinstance(callback, AttachedCallback):
                raise TypeError(
                    f"{type(callback).__name__} looks at answers that are sequences; "
                    "with a SequenceClassifier watch 'val_accuracy' instead."
                )

    def _objective(self, epochs: int, rng: Any) -> dict[str, Any]:
        return {
            "model": self.model_,
            "loss": Crossentropy(self.label_smoothing),
            "metric": keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        }

    def _description(self) -> dict[str, Any]:
        return {"source": self._source.to_json(), **self._target.to_json()}

    def _read_description(self, description: Mapping[str, Any]) -> None:
        self._source = SequenceCodec.from_json("X", description["source"])
        self._target = LabelCodec.from_json("y", description)

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        described = {
            "source": self._source.to_json(),
            "classes": self.classes_.tolist(),
        }
        return self._probability_model, described
