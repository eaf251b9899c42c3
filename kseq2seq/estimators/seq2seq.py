"""Sequence-to-sequence models with scikit-learn's fit, predict and score."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from kseq2seq import persistence
from kseq2seq.arguments import (
    check_choice,
    check_rate,
    check_sample_weight,
    check_whole,
    random_generator,
)
from kseq2seq.batching import Batches
from kseq2seq.builders import (
    ATTENTIONS,
    Seq2SeqModels,
    build_attention_seq2seq,
    build_seq2seq,
)
from kseq2seq.estimators.checks import (
    check_callbacks,
    check_lengths,
)
from kseq2seq.estimators.parameters import parameters_from_json, parameters_to_json
from kseq2seq.generation import LONGEST, build_generator, generate
from kseq2seq.metrics import exact_match
from kseq2seq.sequences import SequenceCodec, has_unknown
from kseq2seq.tokenizers import get_tokenizer
from kseq2seq.training import (
    CosineDecay,
    fit_batches,
    make_optimizer,
    plan_buckets,
)
from kseq2seq.vocabulary import END, PAD, SPECIAL_TOKENS, START, UNK, Token

DEFAULT_UPDATES = 4000
"""How many updates a fit makes by default, within the two bounds that follow."""
MIN_EPOCHS, MAX_EPOCHS = 10, 100

_NOT_SAVED = ("callbacks",)
_LARGEST = {"max_length": LONGEST - 1}

_Ids = list[list[int]]
_Pairs = tuple[_Ids, _Ids]


class AttentionMap(NamedTuple):
    """Where an answer looked, in the order that ``plotting.plot_attention`` takes.

    Attributes
    ----------
    weights : numpy.ndarray
        ``(len(target_tokens), len(source_tokens))``, each row summing to 1.
    source_tokens : list of str or int
        The source's tokens and ``"<end>"``.
    target_tokens : list of str or int
        The answer's tokens and, where it ended, ``"<end>"``.
    """

    weights: np.ndarray
    source_tokens: list[Token]
    target_tokens: list[Token]


class Seq2SeqEstimator(BaseEstimator):
    """Learn to answer sequences with sequences.

    X and y may each hold strings, token lists, or rows of integers of one length; the
    answers come back in the kind that y had.

    Parameters
    ----------
    source_tokenizer, target_tokenizer : str or object, default "char"
        How strings are split: ``"char"``, ``"word"``, ``"whitespace"``, a pair of
        functions ``(split, join)``, a ``tokenizers.Tokenizer``, or an object with
        ``encode`` and ``decode``.
    unknown : {"unk", "error"}, default "unk"
        What a source token that training never saw becomes at predict: UNK, or an
        error.
    min_frequency : int, default 1
        Tokens seen less often in training are UNK.
    max_size : int, optional
        How many tokens each vocabulary keeps at most.
    attention_kind : {"dot", None}, default "dot"
        The builders' `attention`: how the decoder looks back at the encoder outputs;
        None (on the command line ``none``) for not at all.
    attention_units : int, optional
        The width of the layer between attention and logits; `units` when None.
    units : int, default 128
        The width of the decoder.
    encoder_units : int, optional
        The width of the encoder outputs; `units` when None.
    cell : {"lstm", "gru", "rnn"}, default "lstm"
        The recurrent layers' cell.
    num_layers : int, default 1
        Recurrent layers of the encoder, and of the decoder; 1 to 4.
    bidirectional : bool, default True
        Whether the encoder reads in both directions.
    embedding_dim : int, optional, default 64
        The width of learned embeddings; `units` when None.
    source_embedding, target_embedding : {"learned", "one_hot"} or array, default \
"learned"
        An array ``(vocabulary size, width)`` is the embeddings' start: rows 0 to 3 for
        PAD, UNK, START and END, then one for each token in the order that
        ``vocabulary.Vocabulary.from_sequences`` gives.
    freeze_embeddings : bool, default False
        Whether embeddings given as arrays stay as they are.
    dropout : float, default 0.3
        Share of embeddings and of values between layers that training drops.
    recurrent_dropout : float, default 0
        Share of the recurrent layers' states that training drops.
    kernel_initializer, recurrent_initializer, bias_initializer, \
embeddings_initializer : str or keras.initializers.Initializer
        As in :func:`kseq2seq.build_seq2seq`.
    max_length : int, optional
        How many tokens an answer has at most; half as many again as the longest of
        training when None.
    optimizer : str or keras.optimizers.Optimizer, default "adam"
        A name, or an optimizer with a learning rate of its own, which is copied.
    learning_rate : float, default 0.003
        Where an optimizer given by name starts; the rate falls along half a cosine
        over the epochs.
    clip_norm : float, optional, default 1
        The largest norm of all gradients together.
    label_smoothing : float, default 0.1
        The share of each target's probability that is spread over all ids.
    batch_size : int, default 64
        Pairs an update.
    epochs : int, optional
        Passes over the training pairs at most; when None as many as make 4,000 updates,
        at least 10 and at most 100.
    validation_fraction : float, default 0.1
        Share of the pairs held back where `fit` gets no validation data; 0 for none.
    patience : int, optional, default 10
        Training ends when the validation loss has not fallen for so many epochs, and
        the best weights return; None to train all epochs and keep the last weights.
    callbacks : sequence of keras.callbacks.Callback, optional
        Copied for each fit; the copies are ``callbacks_``.
    verbose : {0, 1, 2}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.
    random_state : int, optional
        Seeds weights, dropout, the order of batches and the held-back part.

    Attributes
    ----------
    models_ : Seq2SeqModels
    generator_ : keras.Model
    source_vocabulary_, target_vocabulary_ : Vocabulary
    history_ : dict of str to list of float
        What each epoch measured, by name. ``teacher_forced_accuracy`` says how training
        went, not how well the model answers: that is :meth:`score`.
    max_length_ : int
        How many ids an answer has at most, END included.
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
    """

    def __init__(
        self,
        *,
        source_tokenizer: Any = "char",
        target_tokenizer: Any = "char",
        unknown: str = "unk",
        min_frequency: int = 1,
        max_size: int | None = None,
        attention_kind: str | None = "dot",
        attention_units: int | None = None,
        units: int = 128,
        encoder_units: int | None = None,
        cell: str = "lstm",
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding_dim: int | None = 64,
        source_embedding: str | np.ndarray = "learned",
        target_embedding: str | np.ndarray = "learned",
        freeze_embeddings: bool = False,
        dropout: float = 0.3,
        recurrent_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        embeddings_initializer: Any = "uniform",
        max_length: int | None = None,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        learning_rate: float = 0.003,
        clip_norm: float | None = 1.0,
        label_smoothing: float = 0.1,
        batch_size: int = 64,
        epochs: int | None = None,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        verbose: int | str = 0,
        random_state: int | None = None,
    ) -> None:
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.unknown = unknown
        self.min_frequency = min_frequency
        self.max_size = max_size
        self.attention_kind = attention_kind
        self.attention_units = attention_units
        self.units = units
        self.encoder_units = encoder_units
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.embedding_dim = embedding_dim
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.freeze_embeddings = freeze_embeddings
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.embeddings_initializer = embeddings_initializer
        self.max_length = max_length
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
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
    ) -> Seq2SeqEstimator:
        """Learn from pairs; what an earlier fit learned is forgotten.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
        sample_weight : sequence of float ``(n_pairs,)``, optional
            How much each pair counts; at least 0.
        validation_data : pair (X, y), optional
            What to validate on; a held-back part of the pairs when None.

        Returns
        -------
        Seq2SeqEstimator
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described, before any model is built.
        """
        before = self.__dict__.copy()
        try:
            self._fit(X, y, sample_weight, validation_data)
        except Exception:
            self.__dict__ = before  # what was fitted stays fitted
            raise
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation_data: Any) -> None:
        self._check_parameters()
        source, target, pairs = self._learn_codecs(X, y)
        weights = check_sample_weight(sample_weight, len(pairs[0]))
        generator = random_generator(self.random_state)
        if validation_data is None:
            train, held_back = self._split(len(pairs[0]), generator)
            validation = _rows(pairs, held_back)
            pairs, weights = _rows(pairs, train), weights[train]
        else:
            validation = _encode_pairs(source, target, validation_data)
        settings = self._model_settings()
        models = _build_models(settings, source, target, random_state=generator)
        limits = self._answer_limits(target, pairs[1])
        self._adopt(models, settings, source, target, limits)
        self._train(pairs, weights, validation, generator)

    def _check_parameters(self) -> None:
        """Raise for a parameter out of range; builders check those that they take."""
        for name in ("source_tokenizer", "target_tokenizer"):
            get_tokenizer(getattr(self, name), name=name)
        check_choice("unknown", self.unknown, ("unk", "error"))
        check_choice("attention_kind", self.attention_kind, (*ATTENTIONS, None))
        check_whole("batch_size", self.batch_size)
        check_rate("label_smoothing", self.label_smoothing)
        check_rate("validation_fraction", self.validation_fraction)
        for name in ("epochs", "patience", "max_length", "attention_units"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), maximum=_LARGEST.get(name))
        if self.verbose not in (0, 1, 2, "auto"):
            raise ValueError(
                f"verbose must be 0, 1, 2 or 'auto'; got {self.verbose!r}."
            )
        self._make_optimizer()
        check_callbacks(self.callbacks)

    def _make_optimizer(self) -> keras.optimizers.Optimizer:
        return make_optimizer(
            self.optimizer, learning_rate=self.learning_rate, clip_norm=self.clip_norm
        )

    def _learn_codecs(
        self, X: Any, y: Any
    ) -> tuple[SequenceCodec, SequenceCodec, _Pairs]:
        """Learn both vocabularies, and encode the pairs with them."""
        limits: dict[str, Any] = {
            "min_frequency": self.min_frequency,
            "max_size": self.max_size,
        }
        source, sources = SequenceCodec.learn(
            "X", X, tokenizer=self.source_tokenizer, unknown=self.unknown, **limits
        )
        target, targets = SequenceCodec.learn(
            "y", y, tokenizer=self.target_tokenizer, **limits
        )
        check_lengths(len(sources), len(targets))
        return source, target, (sources, targets)

    def _split(
        self, num_pairs: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on and the rows to hold back."""
        rows = generator.permutation(num_pairs)
        num_held_back = int(self.validation_fraction * num_pairs)
        return np.sort(rows[num_held_back:]), np.sort(rows[:num_held_back])

    def _answer_limits(
        self, target: SequenceCodec, targets: _Ids
    ) -> tuple[int, list[int]]:
        """Return how long answers may be, END included, and ids that never come.

        UNK is no answer unless training has shown it as one.
        """
        forbidden = [PAD, START]
        if target.has_integer_tokens or not has_unknown(targets):
            forbidden.append(UNK)
        if target.width is not None:
            return target.width, forbidden
        longest = max(map(len, targets))
        return 1 + (self.max_length or longest + (longest + 1) // 2), forbidden

    def _model_settings(self) -> dict[str, Any]:
        """Return the parameters that shape the models."""
        names = {*inspect.signature(build_attention_seq2seq).parameters}
        names = names - {"random_state"} | {"attention_kind"}
        parameters = self.get_params(deep=False)
        return {name: value for name, value in parameters.items() if name in names}

    def _adopt(
        self,
        models: Seq2SeqModels,
        settings: dict[str, Any],
        source: SequenceCodec,
        target: SequenceCodec,
        limits: tuple[int, list[int]],
    ) -> None:
        """Make these this estimator's own, with a generator that shares the weights."""
        self.models_, self._settings = models, settings
        self._source, self._target = source, target
        self.source_vocabulary_ = source.vocabulary
        self.target_vocabulary_ = target.vocabulary
        self.max_length_, self._forbidden_ids = limits
        self.history_: dict[str, list[float]] = {}
        self.callbacks_: list[keras.callbacks.Callback] = []
        self.generator_ = build_generator(
            models,
            self.max_length_,
            min_length=target.width or 0,
            forbidden_ids=self._forbidden_ids,
        )

    def _train(
        self,
        pairs: _Pairs,
        weights: np.ndarray,
        validation: _Pairs,
        generator: np.random.Generator,
    ) -> None:
        num_pairs = len(pairs[0])
        batch_size = min(self.batch_size, num_pairs)
        epochs = self.epochs or _default_epochs(num_pairs, batch_size)
        num_buckets = plan_buckets(num_pairs, batch_size=batch_size, epochs=epochs)
        batches = Batches(
            *pairs,
            batch_size=batch_size,
            num_buckets=num_buckets,
            sample_weight=weights,
            random_state=generator,
        )
        validation_batches = None
        if validation[0]:
            validation_batches = Batches(
                *validation,
                batch_size=batch_size,
                num_buckets=num_buckets,
                shuffle=False,
            )
        self.callbacks_ = copy.deepcopy(list(self.callbacks or ()))
        self.history_ = fit_batches(
            self.models_.training,
            batches,
            optimizer=self._make_optimizer(),
            label_smoothing=self.label_smoothing,
            epochs=epochs,
            validation_batches=validation_batches,
            callbacks=self._own_callbacks(epochs, bool(validation[0]))
            + self.callbacks_,
            verbose=self.verbose,
        )

    def _own_callbacks(
        self, epochs: int, validates: bool
    ) -> list[keras.callbacks.Callback]:
        callbacks: list[keras.callbacks.Callback] = []
        if isinstance(self.optimizer, str):
            callbacks.append(CosineDecay(epochs))
        if validates and self.patience is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    "val_loss", patience=self.patience, restore_best_weights=True
                )
            )
        return callbacks

    def predict(self, X: Any) -> Any:
        """Return the answers, decoded without teacher forcing.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            Of the kind that `fit` saw; longer ones, and empty ones, are answered too.

        Returns
        -------
        list of str, list of token lists, or numpy.ndarray ``(n, width)``
            In the kind that y had.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X is of another kind, or with ``unknown="error"`` holds a new token.
        """
        answers = self._generate(X)
        return self._target.decode(answers["ids"].tolist())

    def score(
        self, X: Any, y: Any, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Return the share of answers that are right to the last token, 0 to 1.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n, len)``
        sample_weight : sequence of float, optional

        Returns
        -------
        float
        """
        predictions = self.predict(X)
        answers = self._target.sequences(y)
        check_lengths(len(predictions), len(answers))
        return exact_match(answers, predictions, sample_weight=sample_weight)

    def attention(self, X: Any) -> list[AttentionMap]:
        """Return where each answer looked.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``

        Returns
        -------
        list of AttentionMap
            Weights and tokens, in the order that ``plotting.plot_attention`` takes:
            ``plot_attention(*estimator.attention(X)[0])``.

        Raises
        ------
        ValueError
            When the model has no attention.
        """
        self._check_fitted()
        if not self.models_.has_attention:
            raise ValueError(
                "this model has no attention. Fit one with attention_kind='dot'."
            )
        sources = self._source.tokens(X)
        answers = self._generate(X)
        maps = []
        for tokens, ids, weights in zip(
            sources, answers["ids"].tolist(), answers["attention_weights"], strict=True
        ):
            columns = [*tokens, SPECIAL_TOKENS[END]]
            rows = self.target_vocabulary_.decode(ids)
            if END in ids:
                rows.append(SPECIAL_TOKENS[END])
            maps.append(
                AttentionMap(weights[: len(rows), : len(columns)], columns, rows)
            )
        return maps

    def _generate(self, X: Any) -> dict[str, np.ndarray]:
        self._check_fitted()
        return generate(self.generator_, self._source.encode(X))

    def _check_fitted(self) -> None:
        if not hasattr(self, "models_"):
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet. Call fit(X, y), or "
                "load a model with kseq2seq.load(path)."
            )

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the fitted estimator to one file; :func:`kseq2seq.load` reads it.

        The file holds parameters, vocabularies, weights and history; it holds no code,
        and no callbacks.

        Parameters
        ----------
        path : str or path
            By custom ``.kseq2seq``.
        overwrite : bool, default False
            Whether a file that exists is replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            When the file exists and is not to be replaced, or cannot be written.
        TypeError
            When a tokenizer, initializer or optimizer is code of your own.
        """
        self._check_fitted()
        return persistence.write_artifact(path, self.to_artifact(), overwrite=overwrite)

    def to_artifact(self) -> persistence.Artifact:
        """Return what a model file holds of this fitted estimator."""
        parameters = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_SAVED
        }
        parameters |= self._settings  # of the fit, whatever set_params did since
        described, arrays = parameters_to_json(parameters)
        description = {
            "estimator": type(self).__name__,
            "parameters": described,
            "source": self._source.to_json(),
            "target": self._target.to_json(),
            "max_length": self.max_length_,
            "forbidden_ids": self._forbidden_ids,
            "num_weights": self.models_.training.count_params(),
            "history": self.history_,
        }
        return persistence.Artifact(description, {**arrays, **self._weights()})

    def _weights(self) -> dict[str, np.ndarray]:
        return {
            f"weights/{variable.path}": np.asarray(variable)
            for variable in self.models_.training.weights
        }

    def _set_weights(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Give the models these weights; raise unless names and shapes are theirs."""
        own = self._weights()
        given = {name for name in arrays if name.startswith("weights/")}
        if given != set(own):
            differing = sorted(given ^ set(own))
            raise ValueError(f"the weights do not fit the parameters: {differing[:3]}.")
        for variable in self.models_.training.weights:
            array = arrays[f"weights/{variable.path}"]
            if array.shape != tuple(variable.shape):
                raise ValueError(
                    f"{variable.path} must be of shape {tuple(variable.shape)}; got "
                    f"{array.shape}."
                )
            variable.assign(array)

    @classmethod
    def from_artifact(cls, artifact: persistence.Artifact) -> Seq2SeqEstimator:
        """Return the fitted estimator that a model file holds."""
        description = artifact.description
        estimator = cls(
            **parameters_from_json(description["parameters"], artifact.arrays)
        )
        estimator._settings = estimator._model_settings()
        estimator._source = SequenceCodec.from_json("X", description["source"])
        estimator._target = SequenceCodec.from_json("y", description["target"])
        estimator.max_length_ = description["max_length"]
        estimator._forbidden_ids = description["forbidden_ids"]
        estimator.history_ = description["history"]
        estimator._restore_models(artifact.arrays)
        return estimator

    def _restore_models(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Build the models again that the kept state describes, with these weights."""
        history = self.history_
        settings, source, target = self._settings, self._source, self._target
        models = _build_models(settings, source, target)
        limits = self.max_length_, self._forbidden_ids
        self._adopt(models, settings, source, target, limits)
        self._set_weights(arrays)
        self.history_ = history

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with weights in place of models, for pickle and copies."""
        state = dict(super().__getstate__())
        if "models_" in state:
            state["_pickled_weights"] = self._weights()
            for name in ("models_", "generator_", "callbacks_"):
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.pop("_pickled_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self._restore_models(weights)


def _build_models(
    settings: dict[str, Any],
    source: SequenceCodec,
    target: SequenceCodec,
    *,
    random_state: Any = None,
) -> Seq2SeqModels:
    """Build the models that an estimator's settings describe."""
    arguments = {**settings, "random_state": random_state}
    kind = arguments.pop("attention_kind")
    build = build_seq2seq
    if kind is None:
        del arguments["attention_units"]
    else:
        build, arguments["attention"] = build_attention_seq2seq, kind
    return build(len(source.vocabulary), len(target.vocabulary), **arguments)


def _default_epochs(num_pairs: int, batch_size: int) -> int:
    updates_per_epoch = math.ceil(num_pairs / batch_size)
    return min(max(DEFAULT_UPDATES // updates_per_epoch, MIN_EPOCHS), MAX_EPOCHS)


def _rows(pairs: _Pairs, rows: np.ndarray) -> _Pairs:
    sources, targets = pairs
    return [sources[i] for i in rows], [targets[i] for i in rows]


def _encode_pairs(
    source: SequenceCodec, target: SequenceCodec, validation_data: Any
) -> _Pairs:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError(
            "validation_data must be a pair (X, y); got "
            f"{type(validation_data).__name__}."
        )
    sources = source.encode(validation_data[0])
    targets = target.encode(validation_data[1])
    check_lengths(len(sources), len(targets))
    return sources, targets
