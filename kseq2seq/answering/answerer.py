"""What a fitted sequence-to-sequence estimator answers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_flag, check_whole, make_rng, shown
from kseq2seq.builders import Seq2SeqModels
from kseq2seq.answering.streams import (
    Generators,
    Hypothesis,
    answer_ids,
    answer_stream,
    prefix_ids,
    token_ids,
)
from kseq2seq.answering.attention_maps import (
    AttentionMap,
    attention_maps,
    tokens_looked_at,
)
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.training.objectives import check_lengths
from kseq2seq.generation import LONGEST
from kseq2seq.metrics import exact_match
from kseq2seq.codec import SequenceCodec
from kseq2seq.vocabulary import UNK, Vocabulary

_AS_THEY_ARE = (
    "beam_size",
    "length_penalty",
    "coverage_penalty",
    "no_repeat_ngram_size",
    "temperature",
    "top_k",
    "top_p",
)
SEARCH = (
    *_AS_THEY_ARE,
    "min_length",
    "forced_prefix",
    "forbidden_tokens",
    "replace_unknown",
)
"""The parameters that shape answers, and not training."""


def check_same_tokens(source: SequenceCodec, target: SequenceCodec) -> None:
    """Raise unless a source's tokens can stand in an answer."""
    sides = source.kind_of_tokens, target.kind_of_tokens
    if sides[0] != sides[1]:
        raise ValueError(
            "replace_unknown=True writes source tokens into answers, and those of X "
            f"are {sides[0]} and those of y {sides[1]}. Split both sides alike, or "
            "leave it out."
        )


class AnsweringEstimator(SequenceEstimator):
    """The part of an estimator that searches for answers, once it is fitted.

    A subclass has the parameters of the search, fits, and builds the generators.
    """

    models_: Seq2SeqModels
    target_vocabulary_: Vocabulary
    _source: SequenceCodec
    _target: SequenceCodec
    _generators: Generators
    _forbidden_ids: list[int]

    @property
    def generator_(self) -> keras.Model:
        """The model from source ids to answers, searching as the parameters say."""
        self._check_fitted()
        return self._generators(self._search_options())

    def _search_options(self, **others: Any) -> dict[str, Any]:
        """Return the arguments of the generator that the parameters ask for."""
        tokens = () if self.forbidden_tokens is None else self.forbidden_tokens
        forbidden = token_ids("forbidden_tokens", self._target, tokens)
        check_whole("min_length", self.min_length, minimum=0, maximum=LONGEST)
        options = {
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "min_length": max(self.min_length, self._target.width or 0),
            "forced_prefix": prefix_ids(self._target, self.forced_prefix),
            "forbidden_ids": sorted({*self._forbidden_ids, *forbidden}),
        }
        if self.temperature is not None and self.random_state is not None:
            options["seed"] = int(make_rng(self.random_state).integers(2**31))
        return options | others

    def _exported(self) -> tuple[keras.Model, dict[str, Any]]:
        if self.temperature is not None:
            raise ValueError(
                "what is exported searches for the best answer, and temperature="
                f"{self.temperature!r} draws. set_params(temperature=None)."
            )
        if self.replace_unknown:
            raise ValueError(
                "what is exported gives ids, and replace_unknown=True takes tokens of "
                "the source for them. set_params(replace_unknown=False)."
            )
        return self.generator_, {
            "source": self._source.to_json(),
            "target": self._target.to_json(),
            "max_length": self.max_length_,
        }

    def predict(self, X: Any) -> Any:
        """Return the answers, decoded without teacher forcing.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            Of the kind that `fit` saw; longer ones, and empty ones, are answered too.
            An iterator is a stream: answered in blocks of 512 sources and more, in
            constant memory.

        Returns
        -------
        list of str, list of token lists, or numpy.ndarray ``(n, width)``
            In the kind that y had; for a stream an iterator of answers.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X is of another kind, or with ``unknown="error"`` holds a new token; or
            when a parameter of the search is out of its range.

        Warns
        -----
        UserWarning
            When no token of any source was seen in training.
        """
        self._check_fitted()
        if check_flag("replace_unknown", self.replace_unknown):
            self._check_attention("replace_unknown=True needs")
            check_same_tokens(self._source, self._target)
        options = self._search_options(attention_weights=self.replace_unknown)
        generator = self._generators(options)

        def answer(X: Any, **options: Any) -> Any:
            answers = self._generate(generator, X, **options)
            if not (self.replace_unknown and UNK in answers["ids"]):
                return self._target.decode(answers["ids"])
            unknown = tokens_looked_at(
                answers["attention_weights"],
                self._source.tokens(X),
                answers["ids"],
                reverse=self._source.reverse,
            )
            return self._target.decode(answers["ids"], unknown=unknown)

        return answer_stream(X, answer) if isinstance(X, Iterator) else answer(X)

    def predict_n_best(self, X: Any, n: int) -> list[list[Hypothesis]]:
        """Return the best answers to each source, found by beam search.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        n : int
            How many answers for each; the beam is as wide at least. Where there are
            fewer, fewer are returned.

        Returns
        -------
        list of list of Hypothesis
            Pairs ``(answer, score)`` for each source, best first.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, and when n is more than the tokens to choose from.
        """
        self._check_fitted()
        if self.temperature is not None:
            raise ValueError(
                "predict_n_best searches with a beam, and temperature="
                f"{self.temperature!r} draws answers. set_params(temperature=None)."
            )
        options = self._search_options(attention_weights=False)
        usable = len(self.target_vocabulary_) - len(options["forbidden_ids"])
        check_whole("n", n, maximum=usable)
        beam_size = max(check_whole("beam_size", self.beam_size), n)
        options |= {"n_best": n, "beam_size": beam_size}
        answers = self._generate(self._generators(options), X)
        ids, scores = answers["ids"], answers["scores"]
        found = self._target.decode(ids.reshape(-1, ids.shape[-1]))
        return [
            [
                Hypothesis(found[row * n + i], float(score))
                for i, score in enumerate(row_scores)
                if np.isfinite(score)
            ]
            for row, row_scores in enumerate(scores)
        ]

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
        predictions = self.predict(list(X) if isinstance(X, Iterator) else X)
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
        self._check_attention("attention(X) shows")
        X = list(X) if isinstance(X, Iterator) else X
        sources = self._source.tokens(X)
        answers = self._generate(self.generator_, X)
        return attention_maps(
            answers["attention_weights"],
            sources,
            answers["ids"].tolist(),
            vocabulary=self.target_vocabulary_,
            reverse=self._source.reverse,
        )

    def _check_attention(self, reason: str) -> None:
        if not self.models_.has_attention:
            raise ValueError(
                f"{reason} attention, and this model has no attention. Fit one with "
                "attention_kind='dot'."
            )

    def _generate(
        self,
        generator: keras.Model,
        X: Any,
        *,
        compiles: bool | None = None,
        goes_on: bool = False,
    ) -> dict[str, np.ndarray]:
        """Return what the generator answers; draws go on, or start from the seed."""
        sources = self._source.encode(X)
        if len(sources.ids) and (sources.ids == UNK).all():
            first = shown(next(iter(X)))
            warnings.warn(
                f"no token of {first}, nor of any other source, was seen in "
                "training: the answers say nothing about them. Is it the right model, "
                "and the right side of the pairs?",
                stacklevel=3,
            )
        return answer_ids(
            generator,
            sources,
            compiles=compiles,
            repeats=self.random_state is not None and not goes_on,
            verbose=self.verbose,
        )
