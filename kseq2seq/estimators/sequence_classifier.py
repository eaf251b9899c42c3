"""Sequence classification with scikit-learn's fit, predict and predict_proba."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from kseq2seq.arguments import check_sample_weight, make_rng
from kseq2seq.batching import LabelBatches
from kseq2seq.builders import MakeCell, build_sequence_classifier
from kseq2seq.answering.source_batches import generate
from kseq2seq.estimators.base import SequenceEstimator, updates_per_epoch
from kseq2seq.training.objectives import (
    check_lengths,
    check_validation_data,
    new_callbacks,
)
from kseq2seq.estimators.streams import is_stream
from kseq2seq.ragged import RaggedIds
from kseq2seq.codec import SequenceCodec
from kseq2seq.training import Crossentropy, plan_buckets
from kseq2seq.training.callbacks import AnswerCallback
from kseq2seq.vocabulary import Token, Vocabulary


class SequenceClassifier(ClassifierMixin, SequenceEstimator):
    """Learn to put sequences into classes: many to one.

    X may hold strings, token lists, or rows of integers; y holds one label each, of any
    kind that scikit-learn's classifiers take.

    Parameters
    ----------
    source_tokenizer : str or object, default "char"
        How strings are split; as in :class:`kseq2seq.Seq2SeqEstimator`.
    lowercase : bool, default False
        Whether capitals of texts become small letters.
    unicode_normalization : {"NFC", "NFD", "NFKC", "NFKD", None}
        The Unicode form that texts are brought to; None for as they are.
    unknown : {"unk", "error"}, default "unk"
        What a token that training never saw becomes at predict: UNK, or an error.
    min_frequency : int, default 1
        Tokens seen less often in training are UNK.
    max_size : int, optional
        How many tokens the vocabulary keeps at most.
    source_vocabulary : list or str, optional
        The tokens, given up front; learned from the data when None.
    units : int, default 128
        The width of the recurrent layers.
    cell : {"lstm", "gru", "rnn"} or callable, default "lstm"
        The recurrent layers' cell, or what makes one of a width, as the builders say.
    num_layers : int, default 1
        Recurrent layers; 1 to 4.
    bidirectional : bool, default False
        Whether sequences are read in both directions.
    embedding_dim : int, optional, default 64
        The width of learned embeddings; `units` when None.
    source_embedding : {"learned", "one_hot"} or array, default "learned"
        An array ``(vocabulary size, width)`` is the embeddings' start.
    freeze_embeddings : bool, default False
        Whether embeddings given as an array stay as they are.
    dropout : float, default 0.3
        Share of embeddings and of values between layers that training drops.
    recurrent_dropout : float, default 0
        Share of the recurrent layers' states that training drops.
    word_dropout : float, default 0
        Share of the tokens that are UNK in training.
    kernel_initializer, recurrent_initializer, bias_initializer, \
embeddings_initializer : str or keras.initializers.Initializer
        As in :func:`kseq2seq.build_seq2seq`.
    optimizer : str or keras.optimizers.Optimizer, default "adam"
        A name, or an optimizer with a learning rate of its own, which is copied.
    learning_rate : float, default 0.003
        Where an optimizer given by name starts; the rate falls along half a cosine
        over the epochs.
    warmup_steps : int, default 0
        The updates over which that rate rises from 0 first; it then falls with every
        update.
    ema_momentum : float, optional
        Above 0 and below 1, such as 0.999: validation sees, and training ends with, the
        exponential moving averages of the weights. None for the weights themselves.
    gradient_accumulation_steps : int, default 1
        The batches whose gradients are averaged for one update.
    clip_norm : float, optional, default 1
        The largest norm of all gradients together.
    label_smoothing : float, default 0
        The share of each label's probability that is spread over all classes.
    loss : keras.losses.Loss, optional
        In place of the cross-entropy: of labels' places in ``classes_`` ``(batch,)``,
        logits ``(batch, n_classes)`` and weights.
    metrics : sequence of keras.metrics.Metric, optional
        More to measure in training and validation, of the same; copied for each fit.
        Keras must know a class of your own
        (``@keras.saving.register_keras_serializable()``).
    batch_size : int, default 64
        Sequences an update.
    epochs : int, optional
        Passes over the training data at most; when None as many as make 4,000 updates,
        at least 10 and at most 100.
    warm_start : bool, default False
        Whether `fit` goes on from what an earlier one has learned: its model, with the
        layers that are not ``trainable`` left as they are, its vocabulary and its
        classes; new tokens are UNK.
    validation_fraction : float, default 0.1
        Share of the data held back where `fit` gets no validation data; 0 for none.
    patience : int, optional, default 10
        Training ends when the validation loss has not fallen for so many epochs, and
        the best weights return; None to train all epochs and keep the last weights.
    tol : float, optional
        Training ends when an epoch's training loss is no more than this.
    callbacks : sequence of keras.callbacks.Callback, or of functions, optional
        Each is copied, or made by its function, for each fit; see ``callbacks_``.
    verbose : {0, 1, 2}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.
    random_state : int, optional
        Seeds weights, dropout, the order of batches and the held-back part.

    Attributes
    ----------
    classes_ : numpy.ndarray
        The labels, sorted.
    model_ : keras.Model
        ``source_ids`` to logits.
    source_vocabulary_ : Vocabulary
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
    _source: SequenceCodec

    _builder = staticmethod(build_sequence_classifier)
    _model_names = ("model_", "_probability_model")

    def __init__(
        self,
        *,
        source_tokenizer: Any = "char",
        lowercase: bool = False,
        unicode_normalization: str | None = None,
        unknown: str = "unk",
        min_frequency: int = 1,
        max_size: int | None = None,
        source_vocabulary: Sequence[Token] | Vocabulary | None = None,
        units: int = 128,
        cell: str | MakeCell = "lstm",
        num_layers: int = 1,
        bidirectional: bool = False,
        embedding_dim: int | None = 64,
        source_embedding: str | np.ndarray = "learned",
        freeze_embeddings: bool = False,
        dropout: float = 0.3,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        embeddings_initializer: Any = None,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        learning_rate: float = 0.003,
        warmup_steps: int = 0,
        ema_momentum: float | None = None,
        gradient_accumulation_steps: int = 1,
        clip_norm: float | None = 1.0,
        label_smoothing: float = 0.0,
        loss: keras.losses.Loss | None = None,
        metrics: Sequence[keras.metrics.Metric] | None = None,
        batch_size: int = 64,
        epochs: int | None = None,
        warm_start: bool = False,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        tol: float | None = None,
        callbacks: Sequence[Any] | None = None,
        verbose: int | str = 0,
        random_state: int | None = None,
    ) -> None:
        self.source_tokenizer = source_tokenizer
        self.lowercase = lowercase
        self.unicode_normalization = unicode_normalization
        self.unknown = unknown
        self.min_frequency = min_frequency
        self.max_size = max_size
        self.source_vocabulary = source_vocabulary
        self.units = units
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.embedding_dim = embedding_dim
        self.source_embedding = source_embedding
        self.freeze_embeddings = freeze_embeddings
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.word_dropout = word_dropout
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.embeddings_initializer = embeddings_initializer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.ema_momentum = ema_momentum
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.metrics = metrics
        self.batch_size = batch_size
        self.epochs = epochs
        self.warm_start = warm_start
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tol = tol
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: tuple[Any, Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> SequenceClassifier:
        """Learn from labelled sequences, anew or with `warm_start` going on.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        y : sequence of labels ``(n,)``
            Of two classes at least.
        sample_weight : sequence of float ``(n,)``, optional
            How much each counts; at least 0.
        validation_data : pair (X, y), optional
            What to validate on; a held-back part of the data when None.
        checkpoint : str or path, optional
            A model file to write after each epoch, and to go on from if it exists; see
            :meth:`kseq2seq.Seq2SeqEstimator.fit`.

        Returns
        -------
        SequenceClassifier
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described, before any model is built.
        FloatingPointError
            When training diverges; what was learned before this fit is kept.
        """
        with self._all_or_nothing():
            self._check_training_parameters()
            self._fit(X, y, sample_weight, validation_data, checkpoint)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Sequence[Any] | None = None,
        *,
        sample_weight: Sequence[float] | None = None,
    ) -> SequenceClassifier:
        """Learn from one pass over the data, going on from what was learned before.

        The first call learns the vocabulary as `fit` does; pass it where the first
        sequences do not show all tokens. The optimizer goes on, at its full rate;
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
        with self._one_pass(), self._all_or_nothing():
            self._check_training_parameters()
            self._fit(X, y, sample_weight, None, None, classes=classes)
        return self

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        checkpoint_path: str | Path | None,
        *,
        classes: Any = None,
    ) -> None:
        if is_stream(X):
            raise TypeError("X must be a list or an array; got an iterator.")
        self.callbacks_ = new_callbacks(self.callbacks or ())
        generator = make_rng(self.random_state)
        checkpoint = self._open_checkpoint(checkpoint_path, generator)
        codec = self._known_codec("source", "X", checkpoint)
        source, sources = self._learn_source(X, codec)
        encoder = self._label_encoder(y, classes)
        labels = _encode_labels("y", encoder, y)
        check_lengths(len(sources), len(labels))
        weights = check_sample_weight(sample_weight, len(sources))
        if validation_data is None:
            train, held_back = self._split(len(sources), generator)
            validation = sources.take(held_back), labels[held_back]
            sources = sources.take(train)
            labels, weights = labels[train], weights[train]
        else:
            validation = _encode_labelled(source, encoder, validation_data)
        self._check_tol(len(encoder.classes_))
        self.history_ = {}
        if self._goes_on:
            self._check_same_models()
        else:
            self._settings = self._model_settings()
            self._source, self.classes_ = source, encoder.classes_
            self._rebuild(random_state=generator)
        held_sources, held_labels = validation
        self._take_up(checkpoint, (sources, held_sources), labels, held_labels, weights)
        batch_size = min(self.batch_size, len(sources))
        epochs = self._num_epochs(updates_per_epoch(len(sources), batch_size))
        num_buckets = plan_buckets(
            len(sources),
            batch_size=batch_size,
            epochs=epochs,
            num_weights=self._network.count_params(),
        )
        batches = partial(LabelBatches, batch_size=batch_size, num_buckets=num_buckets)
        _refuse_answer_callbacks(self.callbacks_)
        self._train(
            self.model_,
            batches(sources, labels, sample_weight=weights, random_state=generator),
            batches(*validation, shuffle=False) if len(validation[0]) else None,
            epochs=epochs,
            loss=Crossentropy(self.label_smoothing),
            metric=keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            checkpoint=checkpoint,
        )

    def _label_encoder(self, y: Any, classes: Any) -> LabelEncoder:
        """Return an encoder of the classes that are known, given or those of y."""
        given = None if classes is None else _learn_labels("classes", classes)
        if not self._goes_on:
            return given or _learn_labels("y", y)
        known = LabelEncoder()
        known.classes_ = self.classes_
        if given and not np.array_equal(given.classes_, known.classes_):
            raise ValueError(
                f"classes were {known.classes_.tolist()!r:.60} at first and are "
                f"{given.classes_.tolist()!r:.60}. Leave them out, or fit anew."
            )
        return known

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
        labels = _as_labels("y", y)
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

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each sequence, ``(n,)``.

        Parameters and errors as in :meth:`predict_proba`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @property
    def _network(self) -> keras.Model:
        return self.model_

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        described = {
            "source": self._source.to_json(),
            "classes": self.classes_.tolist(),
        }
        return self._probability_model, described

    def _description(self) -> dict[str, Any]:
        return {
            "source": self._source.to_json(),
            "classes": self.classes_.tolist(),
            "classes_dtype": self.classes_.dtype.str,
        }

    def _read_description(self, description: Mapping[str, Any]) -> None:
        self._source = SequenceCodec.from_json("X", description["source"])
        self.classes_ = np.array(
            description["classes"], dtype=description["classes_dtype"]
        )

    def _vocabulary_sizes(self) -> dict[str, int]:
        return {"source": len(self._source.vocabulary)}

    def _rebuild(self, random_state: Any = None) -> None:
        self.model_ = build_sequence_classifier(
            len(self._source.vocabulary),
            len(self.classes_),
            **self._settings,
            random_state=random_state,
        )
        self.source_vocabulary_ = self._source.vocabulary
        probabilities = keras.layers.Softmax(dtype="float32")(self.model_.output)
        self._probability_model = keras.Model(
            self.model_.inputs[0], {"probabilities": probabilities}
        )


def _refuse_answer_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    for callback in callbacks:
        if isinstance(callback, AnswerCallback):
            raise TypeError(
                f"{type(callback).__name__} looks at answers that are sequences; with "
                "a SequenceClassifier watch 'val_accuracy' instead."
            )


def _as_labels(name: str, y: Any) -> np.ndarray:
    """Return the labels as a 1-D array of one kind: numbers, flags or strings."""
    if isinstance(y, str | bytes | Set | Mapping) or not isinstance(y, Iterable):
        raise TypeError(f"{name} must be a list or an array of labels; got {y!r:.60}.")
    values = list(y) if isinstance(y, Iterator) else y
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if isinstance(values, list | tuple) or kind == "O":
        values = list(values)
        kinds = {_kind_of_label(value) for value in values}
        wrong = next((v for v in values if _kind_of_label(v) is None), None)
        if None in kinds or len(kinds) > 1:
            shown = wrong if None in kinds else sorted(map(str, kinds))
            raise TypeError(
                f"{name} must hold labels of one kind, numbers, flags or strings; got "
                f"{shown!r:.60}."
            )
    labels = column_or_1d(np.asarray(values), warn=True)
    if not len(labels):
        raise ValueError(f"{name} is empty; expected a label for each sequence.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        position = int(np.argmin(np.isfinite(labels)))
        raise ValueError(f"{name} must be finite; {name}[{position}] is not.")
    return labels


def _kind_of_label(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_):
        return "flags"
    if isinstance(value, str):
        return "strings"
    return "numbers" if isinstance(value, numbers.Real) else None


def _learn_labels(name: str, y: Any) -> LabelEncoder:
    """Return an encoder of the labels in y."""
    y = _as_labels(name, y)
    check_classification_targets(y)
    encoder = LabelEncoder().fit(y)
    if len(encoder.classes_) < 2:
        raise ValueError(
            f"{name} must hold two classes at least; got only "
            f"{encoder.classes_.tolist()[0]!r}."
        )
    return encoder


def _encode_labels(name: str, encoder: LabelEncoder, y: Any) -> np.ndarray:
    """Return the index of each label, all of which must be known."""
    labels, known = _as_labels(name, y), set(encoder.classes_.tolist())
    unseen = [label for label in labels.tolist() if label not in known]
    if unseen:
        raise ValueError(
            f"{name} has the label {unseen[0]!r}, which is none of the known ones; "
            f"expected one of {encoder.classes_.tolist()!r:.60}."
        )
    return encoder.transform(labels)


def _encode_labelled(
    source: SequenceCodec, encoder: LabelEncoder, validation_data: Any
) -> tuple[RaggedIds, np.ndarray]:
    X, y = check_validation_data(validation_data)
    labels = _encode_labels("the y of validation_data", encoder, y)
    sources = source.encode(X)
    check_lengths(len(sources), len(labels))
    return sources, labels
