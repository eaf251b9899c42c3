"""Sequence-to-sequence models with scikit-learn's fit, predict and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from kseq2seq.answering import Answerer, AnsweringMixin, check_same_tokens
from kseq2seq.arguments import check_choice, check_rate
from kseq2seq.batching import Batches, BucketedBatches
from kseq2seq.builders import Seq2SeqModels
from kseq2seq.codec import SequenceCodec
from kseq2seq.declarations import documented, taken
from kseq2seq.estimators.answer_callbacks import attach_callbacks, looks_at_answers
from kseq2seq.estimators.codecs import (
    Encoded,
    both_sides,
    check_shared_vocabulary,
)
from kseq2seq.estimators.copying import check_copying, copy_table
from kseq2seq.estimators.examples import (
    Examples,
    FitData,
    Task,
    check_validation_data,
)
from kseq2seq.estimators.fitting import fit_estimator, fit_pass
from kseq2seq.estimators.pair_streams import is_stream, read_stream
from kseq2seq.estimators.seq2seq_models import (
    answer_limits,
    build_models,
    check_limits,
    exported_answers,
    objective,
    sides_from_json,
    sides_to_json,
    weight_shapes,
)
from kseq2seq.estimators.settings import ModelSettings, Seq2SeqSettings
from kseq2seq.estimators.token_estimator import TokenEstimator
from kseq2seq.estimators.weights import kept_seeds
from kseq2seq.metrics import METRICS, TEXT_METRICS
from kseq2seq.training import (
    FEWEST_PAIRS,
    AnswerTrainingSettings,
    Trainer,
    TrainingSettings,
    check_temperature,
    fit_temperature,
)
from kseq2seq.vocabulary import Vocabulary


@documented()
class Seq2SeqEstimator(Seq2SeqSettings, AnsweringMixin, TokenEstimator):
    """Learn to answer sequences with sequences.

    X and y may each hold strings, token lists, or rows of integers of one length; the
    answers come back in the kind that y had.

    Features may stand beside sources: X then holds pairs ``(source, features)``, each a
    tuple of a source and a list of strings, as ``("gehen", ["V", "PST", "3"])``, or a
    row of an array of objects, or of a table of two columns (``df[["lemma",
    "features"]]``). A feature is a token of its own kind, which the model reads after
    the source's tokens and never takes for one of them that is written alike. A source
    may have any number of features, also none (``[]``). They are taken as they are and
    all of them are kept: tokenizers, `lowercase`, `min_frequency`, `max_size`,
    `source_vocabulary`, `shared_vocabulary` and `reverse_source` concern sources
    alone, `word_dropout` both. One that training never saw is an unknown feature, with
    a warning, or an error, as `unknown` says.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    models_ : Seq2SeqModels
    generator_ : keras.Model
    source_vocabulary_, target_vocabulary_ : Vocabulary
    feature_ids_ : dict of str to int, or None
        The id of each feature among those of the sources; None where X has none.
    source_tokenizer_, target_tokenizer_ : object
        What splits texts: as given, or the subwords that `fit` has learned.
    history_ : dict of str to list of float
        What each epoch measured, by name. ``teacher_forced_accuracy`` says how training
        went, not how well the model answers: that is :meth:`score`.
    max_length_ : int
        How many ids an answer has at most, END included.
    dropout_ : float
        The share that training dropped: `dropout`, or what suited the number of pairs.
    calibration_temperature_ : float
        At this temperature the probabilities of answers come nearest to the share that
        is right, on validation pairs; 1 where there were fewer than 5, and in
        checkpoints. See `calibrate`, and ``probabilities=True`` of
        :meth:`predict_with_scores`.
    interrupted_ : bool
        Whether an interrupt (Ctrl-C) ended the last `fit`.
    callbacks_ : list of keras.callbacks.Callback

    Examples
    --------
    >>> from kseq2seq import Seq2SeqEstimator
    >>> X, y = ["ab", "ba", "aab", "bba"] * 8, ["ba", "ab", "baa", "abb"] * 8
    >>> estimator = Seq2SeqEstimator(
    ...     units=32, learning_rate=0.01, epochs=40, validation_fraction=0,
    ...     batch_size=8, random_state=0,
    ... )
    >>> estimator.fit(X, y).predict(["ab", "bba"])
    ['ba', 'abb']

    With features:

    >>> X = [("ab", ["upper"]), ("ab", ["lower"]), ("ba", ["upper", "all"])] * 8
    >>> estimator = Seq2SeqEstimator(units=8, epochs=1).fit(X, ["AB", "ab", "BA"] * 8)
    >>> estimator.feature_ids_
    {'upper': 7, 'all': 8, 'lower': 9}
    """

    models_: Seq2SeqModels
    source_vocabulary_: Vocabulary
    feature_ids_: dict[str, int] | None
    target_vocabulary_: Vocabulary
    max_length_: int
    dropout_: float
    calibration_temperature_: float
    _target: SequenceCodec
    _answerer: Answerer
    _forbidden_ids: list[int]

    _model_group = ModelSettings
    _not_pickled = ("models_", "_answerer")

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: Sequence[Any] | None = None,
        steps_per_epoch: int | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from pairs; without `warm_start` what was learned before is forgotten.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator: ``set_params(warm_start=True).fit(X, y)`` trains
        the epochs that are left and continues ``history_``, with the optimizer as it
        was; early stopping and callbacks begin anew.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
            Without y, X is a stream: an iterator or a ``tf.data.Dataset`` of pairs
            (source, target), not batched, or a ``keras.utils.PyDataset`` of batches
            (sources, targets). Both vocabularies and, unless targets are rows of
            integers, `max_length` must be given then. Bytes are UTF-8. X may also hold
            pairs (source, features), or be a DataFrame of two such columns; features
            are a list of strings, which the model reads after the source's tokens. Of a
            stream `feature_vocabulary` must be given then.
        sample_weight : sequence of float ``(n_pairs,)``, optional
            How much each pair counts, in training, validation and early stopping; at
            least 0. A pair of weight 0 might as well not be there. Not for a stream.
        validation_data : (X, y) or (X, y, sample_weight), optional
            What to validate on; a held-back part of the pairs when None, of a stream
            nothing.
        steps_per_epoch : int, optional
            How many batches of a stream make an epoch, at least 2; all of a
            ``PyDataset`` when None.
        checkpoint : str or path, optional
            A model file to write after each epoch, with the state of the training. If
            it exists, `fit` resumes from it: interrupted and called again, it ends, on
            a CPU, with the weights of a fit that was not interrupted. It must be called
            with the same data and parameters; `callbacks` get back their numbers and
            arrays. Only `epochs` may be more than before: learning rate and teacher
            forcing are then, from the next epoch on, what they would be in a training
            of that many epochs from the start (so the rate rises once), and a training
            that `patience` or `tol` ended stays ended. Not for a stream.

        Returns
        -------
        Seq2SeqEstimator
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described, before any model is built.
        OSError
            When the checkpoint cannot be written, or another training has it.
        kseq2seq.training.StreamError
            A ``ValueError``: when a stream fails or ends early; if an epoch or more was
            done, the estimator is fitted with what it has learned.
        FloatingPointError
            When training diverges; what was learned before this fit is kept, and a
            checkpoint has the last epoch with a finite loss.
        """
        data = FitData(
            X,
            y,
            sample_weight=sample_weight,
            validation_data=check_validation_data(validation_data),
            steps_per_epoch=steps_per_epoch,
        )
        if y is None and checkpoint is not None:
            raise TypeError(
                "checkpoint is for pairs: a stream cannot be taken up where it was. "
                "Leave it out, or pass X and y."
            )
        if y is not None and steps_per_epoch is not None:
            raise TypeError("steps_per_epoch is for a stream; X and y have an end.")
        fit_estimator(self, data, checkpoint=checkpoint)
        return self

    def partial_fit(
        self, X: Any, y: Any, *, sample_weight: Sequence[float] | None = None
    ) -> Self:
        """Learn from one pass over pairs, starting from what was learned before.

        The first call learns the vocabularies as `fit` does; pass them where the first
        pairs do not show all tokens. The optimizer continues, at its full rate; nothing
        is held back.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
            The first call takes seconds to get ready, later ones a few hundredths.
        sample_weight : sequence of float ``(n_pairs,)``, optional

        Returns
        -------
        Seq2SeqEstimator
            This estimator, with the history of this pass.

        Raises
        ------
        ValueError, TypeError
            As `fit`; what was learned before is kept.
        """
        if y is None:
            raise TypeError("y is missing: partial_fit learns from pairs, X and y.")
        fit_pass(self, FitData(X, y, sample_weight=sample_weight))
        return self

    def _fitted_answerer(self) -> Answerer:
        self._check_fitted()
        return self._answerer

    # What an estimator is: see the base.

    def _check(self) -> None:
        super()._check()
        check_shared_vocabulary(self)
        check_copying(self)
        if self.replace_unknown and self.attention_kind is None:
            raise ValueError(
                "replace_unknown=True looks where attention points, and "
                "attention_kind=None has none. Pass attention_kind='general', or "
                "leave replace_unknown out."
            )

    def _training_settings(self, **changes: Any) -> AnswerTrainingSettings:
        return taken(AnswerTrainingSettings, self, **changes)

    def _not_of_training(self) -> Sequence[str]:
        return ["verbose"] if self.selects_by_answers else super()._not_of_training()

    def _read_stream(self, data: FitData, known: Sequence[Any]) -> Task:
        return read_stream(self, data, known, self._encode)

    def _encode(self, data: FitData, known: Sequence[Any]) -> Sequence[Encoded]:
        if is_stream(data.X) or is_stream(data.y):
            raise TypeError(
                "with y, X and y must be lists or arrays; got an iterator or a data "
                "set. If X is a stream of pairs, leave y out."
            )
        return both_sides(self, data, known)

    def _check_task(self, task: Task, settings: TrainingSettings) -> None:
        super()._check_task(task, settings)
        if self.replace_unknown:
            check_same_tokens(task.source, task.target)
        if self.copy:
            copy_table(task.source, task.target)
        if settings.selects_by_answers and task.target.kind != "text":
            check_choice(
                "early_stopping_metric, where y holds no texts,",
                settings.monitored,
                [name for name in METRICS if name not in TEXT_METRICS],
            )

    def _validation_values(
        self,
        data: FitData,
        trainer: Trainer,
        codecs: tuple[SequenceCodec, SequenceCodec],
        held_back: np.ndarray,
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        if not looks_at_answers(trainer):
            return (), ()
        sides = codecs[0].sequences(data.X), codecs[1].sequences(data.y)
        X, y = ([side[i] for i in held_back] for side in sides)
        return X, y

    def _limit(self, task: Task, *, continues: bool) -> None:
        max_length, forbidden = answer_limits(
            task.target, task.training.targets, self.max_length
        )
        if continues:
            forbidden = [i for i in forbidden if i in self._forbidden_ids]
            if self.max_length is None:
                max_length = max(max_length, self.max_length_)
        self.max_length_, self._forbidden_ids = max_length, forbidden
        if not continues:
            self.calibration_temperature_ = 1.0
            self.dropout_ = self.share_dropped(task.num_examples)

    def _build(self, random_state: Any = None) -> Seq2SeqModels:
        return build_models(*self._sides, self._built_with, random_state)

    def _weight_shapes(self) -> dict[str, tuple[int, ...]]:
        return weight_shapes(*self._sides, self._built_with)

    @property
    def _built_with(self) -> dict[str, Any]:
        """The settings of the fitted models, with what the data decided."""
        # The first pickles have no dropout but the setting.
        dropout = getattr(self, "dropout_", self._settings["dropout"])
        return {**self._settings, "dropout": dropout}

    @property
    def _sides(self) -> tuple[SequenceCodec, SequenceCodec]:
        return self._source, self._target

    def _adopt(self, models: Seq2SeqModels) -> None:
        self.models_ = models
        self.dropout_ = self._built_with["dropout"]
        self.source_vocabulary_ = self._source.vocabulary
        self.target_vocabulary_ = self._target.vocabulary
        self.feature_ids_ = self._source.feature_ids
        self.source_tokenizer_ = self._source.tokenizer
        self.target_tokenizer_ = self._target.tokenizer
        self._answerer = Answerer(
            models,
            self._source,
            self._target,
            max_length=self.max_length_,
            forbidden_ids=self._forbidden_ids,
            before=self.__dict__.get("_answerer"),
        )
        # The first pickles have none.
        temperature = getattr(self, "calibration_temperature_", 1.0)
        self._set_calibration(temperature)
        _ = self.generator_  # or a search that cannot be would be found late

    def _set_calibration(self, temperature: float) -> None:
        self.calibration_temperature_ = temperature
        self._answerer.calibration_temperature = temperature

    def _calibrate(self, validation: Examples) -> None:
        """Fit the temperature; with too few validation pairs what there was stays."""
        if not self.calibrate:
            self._set_calibration(1.0)
        elif len(validation) >= FEWEST_PAIRS:
            pairs = validation.sources, validation.targets, validation.weights
            with kept_seeds(self._network):  # Keras's recurrent dropout draws, too
                self._set_calibration(fit_temperature(self._network, *pairs))

    @property
    def _models(self) -> Seq2SeqModels:
        return self.models_

    @property
    def _network(self) -> keras.Model:
        return self.models_.training

    def _batch_size(self, examples: Examples) -> int:
        """Return how many pairs a batch has; the mean, where tokens are counted."""
        if self.batch_tokens is None:
            return min(self.pairs_a_batch(len(examples)), len(examples))
        longer = np.maximum(examples.sources.lengths, examples.targets.lengths) + 1
        return int(np.clip(self.batch_tokens // longer.mean(), 1, len(examples)))

    def _batches(self, examples: Examples, **options: Any) -> BucketedBatches:
        if options.get("shuffle", True):
            options["batch_tokens"] = self.batch_tokens
        return Batches(examples.sources, examples.targets, **options)

    def _attach(self, trainer: Trainer, task: Task) -> None:
        attach_callbacks(trainer, task, self.predict, self._answerer)

    def _objective(self, epochs: int, rng: Any) -> dict[str, Any]:
        return objective(self, self.models_, epochs, rng)

    def _description(self) -> dict[str, Any]:
        _ = self.generator_  # or a bad parameter would be kept
        return {
            **sides_to_json(*self._sides),
            "max_length": self.max_length_,
            "dropout": self.dropout_,
            "forbidden_ids": self._forbidden_ids,
            "calibration_temperature": self.calibration_temperature_,
        }

    def _read_description(self, description: Mapping[str, Any]) -> None:
        self._read_limits(*sides_from_json(description), description)

    def _read_limits(
        self,
        source: SequenceCodec,
        target: SequenceCodec,
        description: Mapping[str, Any],
    ) -> None:
        """Take on these codecs, and the limits of a description."""
        self._source, self._target = source, target
        self.max_length_ = description["max_length"]
        self._forbidden_ids = description["forbidden_ids"]
        check_limits(self._target, self.max_length_, self._forbidden_ids)
        # The first files have no dropout but the parameter.
        self.dropout_ = check_rate("dropout", description.get("dropout", self.dropout))
        # The first files have none.
        temperature = description.get("calibration_temperature", 1.0)
        self.calibration_temperature_ = check_temperature(temperature)

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        return exported_answers(self, self._answerer)
