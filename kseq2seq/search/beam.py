"""Several hypotheses a row, grown side by side."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kseq2seq.search.constraints import NEVER
from kseq2seq.search.stepping import empty_weights, register, write
from kseq2seq.search.token_search import TokenSearch, has_ended, without_ended
from kseq2seq.vocabulary import PAD, START

LEAST_COVERAGE = 1e-9
"""Smaller sums of attention count as this one, so that their logarithm is finite."""


@register
class BeamSearch(TokenSearch):
    """Grow the best hypotheses of each row side by side.

    At each step every hypothesis is continued by every id, and the `beam_size` best
    continuations live on. A hypothesis that has ended is frozen: it can only be
    continued by PAD, at no cost. Hypotheses are ranked by

        ``log P(Y|X) / lp(Y) + cp(X; Y)``,
        ``lp(Y) = ((5 + |Y|) / 6) ^ length_penalty``,
        ``cp(X; Y) = coverage_penalty * sum_i log(min(sum_j p_ij, 1))``

    with ``|Y|`` the ids up to END, it included, and ``p_ij`` the attention weight of
    source token i at step j (Wu et al., 2016, arXiv:1609.08144, equation 14).

    What greedy search would choose holds the first place of the beam at every step, so
    that no answer ranks below greedy's; plain beam search may lose it. A row is done as
    soon as nothing that still grows could rank above its answers.

    For the parameters see :class:`kseq2seq.search.token_search.TokenSearch`.

    Returns
    -------
    dict
        ``ids`` ``(batch, max_length)`` int32, END and then PAD after the answer;
        ``scores`` ``(batch,)`` as above: without penalties, the sum of the
        log-probabilities of the ids up to END; with attention ``attention_weights``
        ``(batch, max_length, source_len)``, zero after the end. With `n_best`, each has
        an axis of this size after the batch's, best first; where there are fewer
        answers, the ids are PAD and the score is -inf.
    """

    @property
    def num_answers(self) -> int:
        """How many hypotheses are returned for each row."""
        return self.options.n_best or 1

    def call(self, memory: list[Any]) -> dict[str, Any]:
        rows = [ops.repeat(m, self.options.beam_size, axis=0) for m in memory]
        rows, prefix_ids = self._without_prefix(rows)
        states, constants = self._split(rows)
        start = self._start(memory[0], constants)
        names = list(start)

        def unfinished(step: Any, is_open: Any, *_: Any) -> Any:
            return ops.any(is_open)

        def advance(step: Any, is_open: Any, *values: Any) -> tuple[Any, ...]:
            carried = dict(zip(names, values, strict=False))
            states = list(values[len(names) :])
            fixed = constants, prefix_ids
            carried, states = self._advance(step, carried, states, *fixed)
            is_open = self._is_open(carried, constants)
            return (step + 1, is_open, *(carried[name] for name in names), *states)

        is_open = ops.equal(start["scores"][:, 0], 0.0)  # (batch,)
        steps, _, *values = ops.while_loop(
            unfinished,
            advance,
            (0, is_open, *start.values(), *states),
            maximum_iterations=self.max_length,
        )
        carried = dict(zip(names, values, strict=False))
        return self._answers(steps, carried, constants)

    def _start(self, state: Any, constants: list[Any]) -> dict[str, Any]:
        """Return what the loop carries beside the states, before the first step.

        There are ``batch * beam_size`` rows. In each beam only the first hypothesis is
        alive; the others, equal to it, have a score of -inf.
        """
        beam = ops.repeat(
            ops.zeros_like(state[:, :1], dtype="int32"), self.options.beam_size, 1
        )
        is_first = ops.equal(ops.arange(self.options.beam_size, dtype="int32"), 0)
        rows = ops.reshape(beam, (-1, 1))
        carried = {
            "last_ids": ops.full_like(rows, START),
            "scores": ops.where(is_first, ops.cast(beam, "float32"), NEVER),
            "choices": ops.repeat(ops.expand_dims(beam, 0), self.max_length, axis=0),
        }
        if self.options.length_penalty:
            carried["lengths"] = ops.cast(beam, "float32")
        if self.options.coverage_penalty:
            carried["coverage"] = ops.cast(ops.zeros_like(constants[-1]), "float32")
        if self.options.no_repeat_ngram_size:
            carried["history"] = ops.repeat(rows, self.max_length, axis=1)
        if self.gives_weights:
            carried["weights"] = empty_weights(constants[-1], self.max_length)
        return carried

    def _advance(
        self,
        step: Any,
        carried: dict[str, Any],
        states: list[Any],
        constants: list[Any],
        prefix_ids: Any,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Take one step for all hypotheses, and keep the best continuations."""
        last_ids = carried["last_ids"]
        log_probs, states, weights = self._step(last_ids, states, constants)
        allowed = self._constrain(log_probs, step, carried.get("history"), prefix_ids)
        allowed = _frozen(allowed, has_ended(last_ids))
        size = allowed.shape[-1]
        allowed = ops.reshape(allowed, (-1, self.options.beam_size, size))
        grown = ops.expand_dims(carried["scores"], -1) + allowed  # (batch, beam, size)
        carried = self._attended(carried, weights)
        ranking = self._penalized(grown, carried, constants)
        choices = self._choose(ranking, allowed)  # (batch, beam): parents and ids
        scores = _pick(ops.reshape(grown, (-1, self.options.beam_size * size)), choices)
        new_ids = ops.where(ops.greater(scores, NEVER), choices % size, PAD)
        parents = _flat(choices // size, self.options.beam_size)  # (rows,)
        carried = self._reordered(carried, step, parents, ops.reshape(new_ids, (-1, 1)))
        carried["scores"] = scores
        carried["choices"] = write(carried["choices"], step, choices)
        if self.gives_weights:
            # In the order of the rows before the choice: the answers' weights are
            # looked up at the end, by the parents that tracing back finds.
            carried["weights"] = write(carried["weights"], step, weights)
        return carried, [ops.take(state, parents, axis=0) for state in states]

    def _attended(self, carried: dict[str, Any], weights: Any) -> dict[str, Any]:
        """Add a step to lengths and coverage, of hypotheses that have not ended."""
        carried = dict(carried)
        ended = has_ended(carried["last_ids"])  # (rows, 1)
        if self.options.length_penalty:
            one = ops.cast(~ended, "float32")
            carried["lengths"] += ops.reshape(one, (-1, self.options.beam_size))
        if self.options.coverage_penalty:
            carried["coverage"] += ops.where(ended, 0.0, weights)
        return carried

    def _penalized(
        self, scores: Any, carried: dict[str, Any], constants: list[Any]
    ) -> Any:
        """Apply both penalties to the scores ``(batch, beam_size, ...)``."""
        if self.options.length_penalty:
            scores = scores / self._lp(ops.expand_dims(carried["lengths"], -1))
        if self.options.coverage_penalty:
            coverage = ops.clip(carried["coverage"], LEAST_COVERAGE, 1.0)
            covered = ops.where(constants[-1], ops.log(coverage), 0.0)
            covered = ops.reshape(
                ops.sum(covered, axis=-1), (-1, self.options.beam_size, 1)
            )
            scores = scores + self.options.coverage_penalty * covered
        return scores

    def _lp(self, length: Any) -> Any:
        return ((5.0 + length) / 6.0) ** self.options.length_penalty

    def _choose(self, ranking: Any, allowed: Any) -> Any:
        """Return the best continuations, greedy's first: ``(batch, beam_size)``.

        They are indices into an axis of ``beam_size * vocabulary``. Of equally ranked
        ones the smaller index comes first.
        """
        size = ranking.shape[-1]
        _, greedy = ops.top_k(allowed[:, 0], k=1)  # (batch, 1)
        ranking = ops.reshape(ranking, (-1, self.options.beam_size * size))
        every_choice = ops.arange(self.options.beam_size * size, dtype="int32")
        is_greedy = ops.equal(every_choice, ops.cast(greedy, "int32"))
        _, choices = ops.top_k(
            ops.where(is_greedy, np.inf, ranking), self.options.beam_size
        )
        return ops.cast(choices, "int32")

    def _reordered(
        self, carried: dict[str, Any], step: Any, parents: Any, new_ids: Any
    ) -> dict[str, Any]:
        """Return what belongs to each hypothesis, taken from its parent."""
        carried = {**carried, "last_ids": new_ids}
        if self.options.length_penalty:
            lengths = ops.take(ops.reshape(carried["lengths"], (-1,)), parents, axis=0)
            carried["lengths"] = ops.reshape(lengths, (-1, self.options.beam_size))
        if self.options.coverage_penalty:
            carried["coverage"] = ops.take(carried["coverage"], parents, axis=0)
        if self.options.no_repeat_ngram_size:
            history = ops.take(carried["history"], parents, axis=0)
            here = ops.equal(ops.arange(self.max_length, dtype="int32"), step)
            carried["history"] = ops.where(here, new_ids, history)
        return carried

    def _is_open(self, carried: dict[str, Any], constants: list[Any]) -> Any:
        """Return which rows may still find a better answer: ``(batch,)``.

        A hypothesis that still grows can only lose log-probability, and a coverage
        penalty never adds to its rank. So its present score, at the length penalty of
        the greatest length, is the best that it can reach.
        """
        scores = carried["scores"]
        ranking = self._penalized(ops.expand_dims(scores, -1), carried, constants)
        ended = ops.reshape(
            has_ended(carried["last_ids"]), (-1, self.options.beam_size)
        )
        answers = ops.where(ended, ranking[..., 0], NEVER)
        if self.num_answers == 1:
            worst_answer = ops.max(answers, axis=-1)
        else:
            worst_answer = ops.top_k(answers, self.num_answers)[0][:, -1]
        hope = ops.where(ended, NEVER, scores / self._lp(float(self.max_length)))
        hope = ops.max(hope, axis=-1)
        return ops.greater(hope, NEVER) & ops.greater_equal(hope, worst_answer)

    def _answers(
        self, steps: Any, carried: dict[str, Any], constants: list[Any]
    ) -> dict[str, Any]:
        """Rank the final hypotheses, and trace the best ones back to their starts."""
        scores = ops.expand_dims(carried["scores"], -1)
        ranking = self._penalized(scores, carried, constants)[..., 0]
        scores, best = ops.top_k(ranking, self.num_answers)  # (batch, n)
        path = self._traced(steps, ops.cast(best, "int32"), carried["choices"])
        size = self.decoder.outputs[0].shape[-1]
        stands = ops.expand_dims(ops.greater(scores, NEVER), -1)
        ids = ops.where(stands, ops.transpose(path % size, (1, 2, 0)), PAD)
        results = [ids, scores]
        if self.gives_weights:
            weights = _weights_of(
                carried["weights"], path // size, self.options.beam_size
            )
            weights = ops.where(ops.expand_dims(stands, -1), weights, 0.0)
            results.append(without_ended(weights, ids))
        if self.options.n_best is None:
            results = [result[:, 0] for result in results]
        return self._named(results)

    def _traced(self, steps: Any, best: Any, choices: Any) -> Any:
        """Return the choices that led to the best: ``(max_length, batch, n)``."""
        size = self.decoder.outputs[0].shape[-1]
        path = ops.repeat(ops.expand_dims(ops.zeros_like(best), 0), self.max_length, 0)

        def back(step: Any, slots: Any, path: Any) -> tuple[Any, ...]:
            here = ops.take(choices, ops.reshape(step, (1,)), axis=0)[0]
            chosen = _pick(here, slots)  # (batch, n)
            return step - 1, chosen // size, write(path, step, chosen)

        *_, path = ops.while_loop(
            lambda step, *_: ops.greater_equal(step, 0), back, (steps - 1, best, path)
        )
        return path

    def compute_output_spec(self, memory: list[Any]) -> dict[str, keras.KerasTensor]:
        return self._spec(
            memory, *([] if self.options.n_best is None else [self.options.n_best])
        )


def _frozen(log_probs: Any, ended: Any) -> Any:
    """Return the log-probabilities; rows that have ended get 0 for PAD, else -inf."""
    # In NumPy: of two plain numbers Keras would make its default type.
    frozen = np.full(log_probs.shape[-1], NEVER, "float32")
    frozen[PAD] = 0
    return ops.where(ended, ops.convert_to_tensor(frozen), log_probs)


def _flat(index: Any, width: int) -> Any:
    """Return indices within rows ``(batch, n)`` as indices into the rows joined.

    The rows are `width` long; the indices that are returned have one axis.
    """
    first = width * ops.arange(ops.shape(index)[0], dtype="int32")
    return ops.reshape(index + ops.expand_dims(first, 1), (-1,))


def _pick(values: Any, index: Any) -> Any:
    """Return ``values[row, index[row, i]]``, both of shape ``(batch, ...)``."""
    flat = ops.take(ops.reshape(values, (-1,)), _flat(index, values.shape[-1]), axis=0)
    return ops.reshape(flat, (-1, index.shape[-1]))


def _weights_of(weights: Any, parents: Any, beam_size: int) -> Any:
    """Return the weights of some hypotheses: ``(batch, n, max_length, source_len)``.

    `weights` are those of all rows, ``(max_length, batch * beam_size, source_len)``;
    the parents of the hypotheses are ``(max_length, batch, n)``.
    """
    max_length, _, num_answers = parents.shape
    batch, width = ops.shape(parents)[1], ops.shape(weights)[2]
    # The first row of each beam.
    beams = beam_size * ops.arange(max_length * batch, dtype="int32")
    beams = ops.reshape(beams, (max_length, -1, 1))
    rows = ops.reshape(parents + beams, (-1,))
    taken = ops.take(ops.reshape(weights, (-1, width)), rows, axis=0)
    taken = ops.reshape(taken, (max_length, -1, num_answers, width))
    return ops.transpose(taken, (1, 2, 0, 3))
