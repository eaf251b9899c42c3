"""Answers with scikit-learn's predict and score, for all that has an Answerer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from kseq2seq.answering.answerer import Answerer
from kseq2seq.answering.attention_maps import AttentionMap
from kseq2seq.answering.settings import AnswerSettings
from kseq2seq.metrics import DEFAULT_METRICS


class AnsweringMixin(AnswerSettings):
    """What a fitted model that answers with sequences can be asked.

    Whoever has this mixin says with which Answerer. The settings of the search are its
    own, as they stand when it is asked.
    """

    def _fitted_answerer(self) -> Answerer:
        """Return what answers, or raise before there is something."""
        raise NotImplementedError

    def predict(self, X: Any, *, prefixes: Any = None) -> Any:
        """Return the answers, decoded without teacher forcing.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            Of the kind that `fit` saw, each with its features if it saw features;
            longer ones are answered too. The answer to an empty one is empty, unless
            `fit` saw empty sources.
            An iterator is a stream: answered in blocks of 512 sources and more, in
            constant memory.
        prefixes : sequence of str, of token lists, or integers, optional
            The beginning of the answer to each source, in the kind that y had; an empty
            one forces nothing. They take the place of `forced_prefix`. An empty source
            whose answer is empty has none. Of a stream they may be an iterator, too.

        Returns
        -------
        list of str, list of token lists, or numpy.ndarray ``(n, width)``
            In the kind that y had; for a stream an iterator of answers.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X is of another kind, or with ``unknown="error"`` holds a new token;
            when a prefix is longer than an answer may be, or holds a token that none
            has; or when a parameter of the search is out of its range.

        Warns
        -----
        UserWarning
            When no token of any source was seen in training, or a feature was not.
        """
        return self._fitted_answerer().predict(X, self, prefixes=prefixes)

    def predict_with_scores(
        self, X: Any, *, prefixes: Any = None, probabilities: bool = False
    ) -> Any:
        """Return the answers that :meth:`predict` returns, each with its score.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            An iterator is a stream, as for :meth:`predict`.
        prefixes : sequence, optional
            As for :meth:`predict`; the scores count their tokens, too.
        probabilities : bool, default False
            Whether each score is, in place of the log-probability, the probability that
            the answer is right, 0 to 1: that of all its tokens together, at
            ``calibration_temperature_``.

        Returns
        -------
        list of Hypothesis
            A pair ``(answer, score)`` for each source; for a stream an iterator. With a
            `temperature` the score is the log-probability at temperature 1.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> from kseq2seq import Seq2SeqEstimator
        >>> X, y = ["ab", "ba"] * 8, ["AB", "BA"] * 8
        >>> estimator = Seq2SeqEstimator(units=4, epochs=1).fit(X, y)
        >>> (answer, score), *_ = estimator.predict_with_scores(X)
        >>> answer == estimator.predict(X)[0], score < 0
        (True, True)
        >>> found = estimator.predict_with_scores(X, probabilities=True)
        >>> all(0 < probability < 1 for answer, probability in found)
        True
        """
        return self._fitted_answerer().predict(
            X,
            self,
            prefixes=prefixes,
            with_scores=True,
            probabilities=probabilities,
        )

    def predict_n_best(
        self,
        X: Any,
        n: int,
        *,
        prefixes: Any = None,
        probabilities: bool = False,
    ) -> Any:
        """Return the best answers to each source, found by beam search.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
            An iterator is a stream, as for :meth:`predict`.
        n : int
            How many answers for each; the beam is as wide at least. Where there are
            fewer, fewer are returned.
        prefixes, probabilities
            As for :meth:`predict_with_scores`.

        Returns
        -------
        list of list of Hypothesis
            Pairs ``(answer, score)`` for each source, best first; for a stream an
            iterator.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, and when n is more than the tokens to choose from.
        """
        return self._fitted_answerer().predict_n_best(
            X, n, self, prefixes=prefixes, probabilities=probabilities
        )

    def log_prob(
        self, X: Any, y: Any, *, per_token: bool = False, calibrated: bool = False
    ) -> Any:
        """Return how probable the model holds given answers to be.

        That is the sum of the natural logarithms of the probabilities of their tokens
        and of their end, each given those before it. It is the model's own, whatever
        the search may choose from; so answers longer than ``max_length_`` have one,
        too. Of the answers that `predict` finds it is the score, without penalties; but
        one that was cut off at ``max_length_`` has no end that its score could count.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``
        y : sequence of str, of token lists, or integers ``(n, len)``
            An answer to each source.
        per_token : bool, default False
            Whether to return the log-probability of each token, the end's last. Rows of
            integers, all of one width, have no end.
        calibrated : bool, default False
            Whether the probabilities are those at ``calibration_temperature_``, which
            can be believed; else they are those that the search adds up.

        Returns
        -------
        numpy.ndarray ``(n,)``, or list of numpy.ndarray ``(num_tokens + 1,)``
            float32, 0 or below. An answer with a token that is unknown has that of UNK,
            if training has shown UNK in answers, else ``-inf``; so has, where `fit` saw
            no empty source, any answer to one but the empty one.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When X or y is of another kind, they differ in length, or with
            ``unknown="error"`` one holds a new token.

        Examples
        --------
        >>> from kseq2seq import Seq2SeqEstimator
        >>> X, y = ["ab", "ba"] * 8, ["AB", "BA"] * 8
        >>> estimator = Seq2SeqEstimator(units=4, epochs=1).fit(X, y)
        >>> estimator.log_prob(["ab", "ba"], ["AB", "AB"]).shape
        (2,)
        >>> [len(each) for each in estimator.log_prob(["ab"], ["AB"], per_token=True)]
        [3]
        """
        return self._fitted_answerer().log_prob(
            X, y, self, per_token=per_token, calibrated=calibrated
        )

    def attention(self, X: Any) -> list[AttentionMap]:
        """Return where each answer looked.

        Parameters
        ----------
        X : sequence of str, of token lists, or integers ``(n, len)``

        Returns
        -------
        list of AttentionMap
            Weights and tokens, in the order that ``plotting.plot_attention`` takes:
            ``plot_attention(estimator.attention(X)[0])``.

        Raises
        ------
        ValueError
            When the model has no attention.
        """
        return self._fitted_answerer().attention(X, self)

    def measure(
        self,
        X: Any,
        y: Any,
        metrics: Sequence[str] = DEFAULT_METRICS,
        *,
        sample_weight: Sequence[float] | None = None,
    ) -> dict[str, float]:
        """Return how good the answers to X are, decoded without teacher forcing.

        This is how `score`, the scorers of ``kseq2seq.metrics``, the callbacks that
        look at answers, early stopping by answers and the command line measure: y is
        prepared as in training (`lowercase`, `unicode_normalization`), and tokens are
        those of the target tokenizer.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n, len)``
            An item of y may be a list of several right answers: of strings, or where
            answers are token lists or rows of integers, of such. Exact match takes any
            of them, edits are counted to the nearest, token accuracy is that of the
            best, and BLEU and chrF count all.
        metrics : sequence of str, default ("exact_match", "token_accuracy", \
"edit_distance")
            Also ``"token_error_rate"``, ``"bleu"`` and ``"chrf"``; see
            :func:`kseq2seq.metrics.measure`.
        sample_weight : sequence of float, optional
            How much each pair counts; for BLEU and chrF 0 or one other value.

        Returns
        -------
        dict of str to float

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            As :meth:`predict`, and when y is of another kind or length.

        Examples
        --------
        >>> from kseq2seq import Seq2SeqEstimator
        >>> X, y = ["ab", "ba"] * 8, ["AB", "BA"] * 8
        >>> estimator = Seq2SeqEstimator(units=4, epochs=1, lowercase=True).fit(X, y)
        >>> sorted(estimator.measure(X, y, ["exact_match", "edit_distance"]))
        ['edit_distance', 'exact_match']
        """
        answers = self.predict(list(X) if isinstance(X, Iterator) else X)
        return self.judge(y, answers, metrics, sample_weight=sample_weight)

    def judge(
        self,
        y: Any,
        answers: Any,
        metrics: Sequence[str] = DEFAULT_METRICS,
        *,
        sample_weight: Sequence[float] | None = None,
    ) -> dict[str, float]:
        """Return how good answers are that `predict` has given; see :meth:`measure`.

        Parameters
        ----------
        y : sequence of str, of token lists, or integers ``(n, len)``
            The right answers; several to a source as for :meth:`measure`.
        answers : sequence of str, of token lists, or integers ``(n, len)``
        metrics, sample_weight
            As for :meth:`measure`.

        Returns
        -------
        dict of str to float

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            When y is of another kind or length.
        """
        answerer = self._fitted_answerer()
        return answerer.judge(y, answers, metrics, sample_weight=sample_weight)

    def score(
        self, X: Any, y: Any, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Return the share of answers that are right to the last token, 0 to 1.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n, len)``
            An item of y may be a list of several right answers, as for :meth:`measure`.
        sample_weight : sequence of float, optional

        Returns
        -------
        float
        """
        measured = self.measure(X, y, ["exact_match"], sample_weight=sample_weight)
        return measured["exact_match"]

    @property
    def generator_(self) -> keras.Model:
        """The model from source ids to answers, searching as the parameters say."""
        answerer = self._fitted_answerer()
        return answerer.generator(answerer.options(self))
