"""How a sequence-to-sequence estimator learns from pairs, or from a stream."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import (
    check_choice,
    check_sample_weight,
    make_rng,
    shown,
)
from kseq2seq.batching import Batches, StreamBatches
from kseq2seq.builders import (
    Seq2SeqModels,
    build_attention_seq2seq,
    build_seq2seq,
)
from kseq2seq.answering.streams import Generators
from kseq2seq.estimators.base import updates_per_epoch
from kseq2seq.estimators.checkpoint_file import Checkpoint
from kseq2seq.training.objectives import check_lengths
from kseq2seq.estimators.pairs import (
    Pairs,
    batch_validation,
    encode_pairs,
    encoded_stream,
    no_pairs,
)
from kseq2seq.answering.answerer import (
    SEARCH,
    AnsweringEstimator,
    check_same_tokens,
)
from kseq2seq.estimators.streams import PairStream, is_stream
from kseq2seq.generation import build_generator
from kseq2seq.metrics import FALLING_METRICS, METRICS, TEXT_METRICS
from kseq2seq.ragged import RaggedIds
from kseq2seq.codec import KINDS, SequenceCodec, as_sequences
from kseq2seq.tokenizers import is_trained
from kseq2seq.training import (
    FreeRunningValidation,
    MaskedCrossentropy,
    TeacherForcedAccuracy,
    TeacherForcing,
    plan_buckets,
    with_teacher_forcing,
)
from kseq2seq.training.callbacks import AnswerCallback
from kseq2seq.vocabulary import PAD, START, UNK


class FittingEstimator(AnsweringEstimator):
    """The part of an estimator that builds its models and trains them.

    A subclass has the parameters, and checks them.
    """

    max_length_: int

    _builder = staticmethod(build_attention_seq2seq)
    _renamed = {"attention": "attention_kind"}
    _model_names = ("models_", "_generators")

    def _fit_pairs(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        checkpoint_path: str | Path | None,
    ) -> None:
        if is_stream(X) or is_stream(y):
            raise TypeError(
                "with y, X and y must be lists or arrays; got an iterator or a data "
                "set. If X is a stream of pairs, leave y out."
            )
        generator = make_rng(self.random_state)
        checkpoint = self._open_checkpoint(checkpoint_path, generator)
        (source, sources), (target, targets) = self._learn(X, y, checkpoint)
        check_lengths(len(sources), len(targets))
        self._check_sides(source, target)
        weights = check_sample_weight(sample_weight, len(sources))
        if validation_data is None:
            train, held_back = self._split(len(sources), generator)
            validation = sources.take(held_back), targets.take(held_back)
            if self._looks_at_answers():
                validation_data = tuple(
                    [side[i] for i in held_back]
                    for side in (source.sequences(X), target.sequences(y))
                )
            if len(held_back):
                sources, targets = sources.take(train), targets.take(train)
                weights = weights[train]
        else:
            validation = encode_pairs(source, target, validation_data)
        self._start(source, target, targets, generator)
        self._take_up(checkpoint, (sources, targets, *validation), weights)
        batches, validation_batches, epochs = self._batch(
            (sources, targets), validation, weights, generator
        )
        self._attach_callbacks(validation_data or ([], []))
        self._fit_models(batches, validation_batches, epochs, generator, checkpoint)

    def _batch(
        self,
        pairs: Pairs,
        validation: Pairs,
        weights: np.ndarray,
        generator: np.random.Generator,
    ) -> tuple[Batches, Batches | None, int]:
        """Return the batches to train and to validate on, and for how many epochs."""
        num_pairs = len(pairs[0])
        batch_size = self._pairs_a_batch(*pairs)
        epochs = self._num_epochs(updates_per_epoch(num_pairs, batch_size))
        num_buckets = partial(
            plan_buckets,
            batch_size=batch_size,
            epochs=epochs,
            num_weights=self._network.count_params(),
        )
        batches = Batches(
            *pairs,
            batch_size=batch_size,
            batch_tokens=self.batch_tokens,
            num_buckets=num_buckets(num_pairs),
            sample_weight=weights,
            random_state=generator,
        )
        validation_batches = batch_validation(
            validation, batch_size, num_buckets(len(validation[0]))
        )
        return batches, validation_batches, epochs

    def _pairs_a_batch(self, sources: RaggedIds, targets: RaggedIds) -> int:
        """Return how many pairs a batch has; the mean, where it has so many tokens."""
        if self.batch_tokens is None:
            return min(self.batch_size, len(sources))
        longer = np.maximum(sources.lengths, targets.lengths) + 1
        return int(np.clip(self.batch_tokens // longer.mean(), 1, len(sources)))

    def _learn(
        self, X: Any, y: Any, checkpoint: Checkpoint | None
    ) -> list[tuple[SequenceCodec, RaggedIds]]:
        """Return the codec and the ids of each side, with the codecs there are."""
        source = self._known_codec("source", "X", checkpoint)
        target = self._known_codec("target", "y", checkpoint)
        if source is None and self.shared_vocabulary:
            return self._learn_both(X, y)
        return [self._learn_source(X, source), self._learn_target(y, target)]

    def _fit_stream(
        self, X: Any, sample_weight: Any, validation_data: Any, steps_per_epoch: Any
    ) -> None:
        self._check_stream(X, sample_weight)
        stream = PairStream(X, self.batch_size, steps_per_epoch)
        first_X, first_y = stream.first
        (source, _), (target, targets) = self._learn(first_X, first_y, None)
        source.width = None  # only answers make an array
        if target.width is None and self.max_length is None and not self._goes_on:
            raise ValueError(
                "a stream does not tell how long answers may be; pass max_length."
            )
        self._check_sides(source, target)
        validation = no_pairs()
        if validation_data is not None:
            validation = encode_pairs(source, target, validation_data)
        generator = make_rng(self.random_state)
        self._start(source, target, targets, generator)
        epochs = self._num_epochs(stream.steps)
        batch_size = len(first_X)
        batches = StreamBatches(
            encoded_stream(stream, source, target, self.max_length),
            batch_size=batch_size,
            steps=stream.steps,
        )
        validation_batches = batch_validation(validation, batch_size, 1)
        self._attach_callbacks(validation_data or ([], []))
        self._fit_models(batches, validation_batches, epochs, generator)

    def _check_stream(self, X: Any, sample_weight: Any) -> None:
        """Raise unless X is a stream and the vocabularies are given."""
        if not is_stream(X):
            raise TypeError(
                "y is missing: pass fit(X, y), or as X a stream, an iterator of pairs "
                "(iter(pairs), or what a generator function returns when called) or a "
                f"keras.utils.PyDataset; got {type(X).__name__}."
            )
        if sample_weight is not None:
            raise TypeError("sample_weight is not for a stream, which has no length.")
        if self.batch_tokens is not None:
            raise ValueError("batch_tokens is not for a stream; pass batch_size.")
        for side in () if self._goes_on else ("source", "target"):
            tokenizer = getattr(self, f"{side}_tokenizer")
            if is_trained(tokenizer):
                raise ValueError(
                    f"{side}_tokenizer={tokenizer!r} is trained on all texts, and a "
                    "stream does not show them first: pass a tokenizers.Tokenizer, "
                    "such as kseq2seq.tokenizers.train_tokenizer gives."
                )
            name = f"{side}_vocabulary"
            if getattr(self, name) is None:
                raise ValueError(
                    f"a stream does not tell all its tokens: pass {name}, a list of "
                    "them or a string of characters."
                )

    def _learn_target(
        self, y: Any, codec: SequenceCodec | None = None
    ) -> tuple[SequenceCodec, RaggedIds]:
        if codec is not None and codec.has_integer_tokens:
            return codec, codec.encode_known(y)
        if codec is not None:
            return codec, codec.encode(y, unknown="unk")
        return SequenceCodec.learn(
            "y",
            y,
            tokenizer=self.target_tokenizer,
            min_frequency=self.min_frequency,
            max_size=self.max_size,
            vocabulary=self.target_vocabulary,
            **self._preparation(),
        )

    def _learn_both(self, X: Any, y: Any) -> list[tuple[SequenceCodec, RaggedIds]]:
        """Return the codec and the ids of each side, of one vocabulary."""
        (sources, kind), (targets, other) = as_sequences("X", X), as_sequences("y", y)
        mixed = _have_integers(sources) != _have_integers(targets)
        if kind != other or kind == "integers" or mixed:
            raise TypeError(
                "shared_vocabulary=True is for texts, or for lists of tokens of one "
                f"kind, on both sides; got {KINDS[kind]} in X and {KINDS[other]} in "
                f"y, such as {shown(sources[0])} and {shown(targets[0])}."
            )
        both, _ = self._learn_source(sources + targets)
        codecs = []
        for name, values in (("X", sources), ("y", targets)):
            codec = copy.copy(both)
            codec.name, codec.reverse = name, name == "X" and self.reverse_source
            codecs.append((codec, codec.encode(values, unknown="unk")))
        return codecs

    def _start(
        self,
        source: SequenceCodec,
        target: SequenceCodec,
        targets: RaggedIds,
        generator: np.random.Generator,
    ) -> None:
        """Make models and codecs this estimator's own: new models, or those it has."""
        self._check_tol(len(target.vocabulary))
        max_length, forbidden = self._answer_limits(target, targets)
        if self._goes_on:
            self._check_same_models()
            models = self.models_
            forbidden = [i for i in forbidden if i in self._forbidden_ids]
            if self.max_length is None:
                max_length = max(max_length, self.max_length_)
        else:
            settings = self._model_settings()
            models = _build_models(settings, source, target, random_state=generator)
            self._settings, self._source, self._target = settings, source, target
        self.max_length_, self._forbidden_ids = max_length, forbidden
        self.history_ = {}
        self._adopt(models)

    def _answer_limits(
        self, target: SequenceCodec, targets: RaggedIds
    ) -> tuple[int, list[int]]:
        """Return how long answers may be, END included, and ids that never come.

        UNK is no answer unless training has shown it as one.
        """
        forbidden = [PAD, START]
        if target.has_integer_tokens or UNK not in targets.ids:
            forbidden.append(UNK)
        if target.width is not None:
            return target.width, forbidden
        longest = int(targets.lengths.max())
        return 1 + (self.max_length or longest + (longest + 1) // 2), forbidden

    def _adopt(self, models: Seq2SeqModels) -> None:
        """Take on models, with a generator that shares their weights."""
        self.models_ = models
        self.source_vocabulary_ = self._source.vocabulary
        self.target_vocabulary_ = self._target.vocabulary
        self.source_tokenizer_ = self._source.tokenizer
        self.target_tokenizer_ = self._target.tokenizer
        self._generators = Generators(
            partial(build_generator, models, self.max_length_)
        )
        self._generators(self._search_options())

    def _not_of_training(self) -> Sequence[str]:
        """Return the parameters that training does not depend on."""
        return ("verbose",) if self._stops_by_answers else ("verbose", *SEARCH)

    def _check_sides(self, source: SequenceCodec, target: SequenceCodec) -> None:
        """Raise where answers of their kinds cannot be what is asked for."""
        if self.replace_unknown:
            check_same_tokens(source, target)
        if self._stops_by_answers and target.kind != "text":
            check_choice(
                "early_stopping_metric, where y holds no texts,",
                self.early_stopping_metric,
                [name for name in METRICS if name not in TEXT_METRICS],
            )

    def _looks_at_answers(self) -> bool:
        looking = any(isinstance(c, AnswerCallback) for c in self.callbacks_)
        return looking or self._stops_by_answers

    @property
    def _stops_by_answers(self) -> bool:
        return self.patience is not None and self.early_stopping_metric != "loss"

    def _early_stopping(self) -> keras.callbacks.EarlyStopping:
        if not self._stops_by_answers:
            return super()._early_stopping()
        falls = self.early_stopping_metric in FALLING_METRICS
        return keras.callbacks.EarlyStopping(
            f"val_{self.early_stopping_metric}",
            mode="min" if falls else "max",
            patience=self.patience,
            restore_best_weights=True,
        )

    def _attach_callbacks(self, validation: tuple[Any, Any]) -> None:
        """Give the callbacks that look at answers theirs; put them first."""
        if any(isinstance(callback, TeacherForcing) for callback in self.callbacks_):
            raise TypeError(
                "an estimator sets teacher forcing itself: pass teacher_forcing and "
                "teacher_forcing_schedule in place of a TeacherForcing callback."
            )
        looking = [c for c in self.callbacks_ if isinstance(c, AnswerCallback)]
        X, y = validation
        if self._stops_by_answers and not self._measures(looking):
            looking.append(FreeRunningValidation([self.early_stopping_metric]))
        if self._stops_by_answers and not len(y):
            raise ValueError(
                f"early_stopping_metric={self.early_stopping_metric!r} needs "
                "validation pairs: pass fit validation_data, a validation_fraction "
                "above 0, or patience=None."
            )
        y = self._target.sequences(y) if looking and len(y) else y
        for callback in looking:
            callback.attach(self.predict, X, y, tokens=self._target.tokens)
        others = [c for c in self.callbacks_ if not isinstance(c, AnswerCallback)]
        self.callbacks_ = looking + others

    def _measures(self, callbacks: Sequence[keras.callbacks.Callback]) -> bool:
        """Whether one of the callbacks measures what decides when training ends."""
        return any(
            self.early_stopping_metric in callback.metrics
            for callback in callbacks
            if isinstance(callback, FreeRunningValidation)
        )

    def _fit_models(
        self,
        batches: Batches | StreamBatches,
        validation_batches: Batches | None,
        epochs: int,
        generator: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        model, callbacks = self.models_.training, []
        plain = (self.teacher_forcing, self.teacher_forcing_schedule) == (1, "constant")
        if not plain and self.decoder == "autoregressive":
            model = with_teacher_forcing(
                self.models_, self.teacher_forcing, random_state=generator
            )
            callbacks = [
                TeacherForcing(
                    epochs,
                    start=self.teacher_forcing,
                    schedule=self.teacher_forcing_schedule,
                )
            ]
        self._train(
            model,
            batches,
            validation_batches,
            epochs=epochs,
            loss=MaskedCrossentropy(self.label_smoothing),
            metric=TeacherForcedAccuracy(),
            callbacks=callbacks,
            checkpoint=checkpoint,
        )

    @property
    def _network(self) -> keras.Model:
        return self.models_.training

    def _description(self) -> dict[str, Any]:
        self._generators(self._search_options())  # or a bad parameter would be kept
        return {
            "source": self._source.to_json(),
            "target": self._target.to_json(),
            "max_length": self.max_length_,
            "forbidden_ids": self._forbidden_ids,
        }

    def _read_description(self, description: Mapping[str, Any]) -> None:
        self._source = SequenceCodec.from_json("X", description["source"])
        self._target = SequenceCodec.from_json("y", description["target"])
        self.max_length_ = description["max_length"]
        self._forbidden_ids = description["forbidden_ids"]

    def _vocabulary_sizes(self) -> dict[str, int]:
        return {
            "source": len(self._source.vocabulary),
            "target": len(self._target.vocabulary),
        }

    def _rebuild(self) -> None:
        self._adopt(_build_models(self._settings, self._source, self._target))


def _have_integers(sequences: Sequence[Any]) -> bool:
    return any(isinstance(token, int) for sequence in sequences for token in sequence)


def _build_models(
    settings: dict[str, Any],
    source: SequenceCodec,
    target: SequenceCodec,
    *,
    random_state: Any = None,
) -> Seq2SeqModels:
    """Build the models that an estimator's settings describe."""
    arguments = {**settings, "random_state": random_state}
    build: Callable[..., Seq2SeqModels] = build_attention_seq2seq
    if arguments["attention"] is None:
        for name in [*arguments]:
            if name.startswith("attention") or name == "input_feeding":
                del arguments[name]
        build = build_seq2seq
    return build(len(source.vocabulary), len(target.vocabulary), **arguments)
