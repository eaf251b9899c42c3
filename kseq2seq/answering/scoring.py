"""How probable given answers are to a model."""

from __future__ import annotations

from functools import partial

import numpy as np

from kseq2seq import _tensorflow
from kseq2seq.answering.kept_models import KeptModels
from kseq2seq.answering.source_batches import BATCH_SIZE, Side, run_in_batches
from kseq2seq.builders import Seq2SeqModels
from kseq2seq.generation import build_scorer
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import PAD

MOST_LOGITS = 2**24
"""A batch has this many logits at most, of 4 bytes each."""


class Scoring:
    """Gives the log-probabilities of answers, fed to the decoder (teacher forcing).

    Parameters
    ----------
    models : Seq2SeqModels
    num_ids : int
        How many ids answers may be of.
    kept : KeptModels
    """

    def __init__(self, models: Seq2SeqModels, num_ids: int, kept: KeptModels) -> None:
        self.models, self.num_ids, self._kept = models, num_ids, kept

    def token_log_probs(
        self,
        sources: RaggedIds,
        answers: Side,
        *,
        temperature: float = 1.0,
        compiles: bool | None = None,
        verbose: bool = False,
    ) -> list[np.ndarray]:
        """Return the log-probability of each id of each answer, END too if it stands.

        Parameters
        ----------
        sources : RaggedIds
        answers : Side
            One to each source.
        temperature : float, default 1
        compiles, verbose
            As for :func:`kseq2seq.answering.generate`.
        """
        _tensorflow.check_can_run()
        build = partial(build_scorer, self.models, temperature)
        scorer = self._kept.get(f"scorer at {temperature}", build)
        most = MOST_LOGITS // (int(answers.lengths.max()) * self.num_ids)
        runs = run_in_batches(
            scorer,
            [Side(sources), answers],
            batch_size=min(max(most, 1), BATCH_SIZE),
            compiles=compiles,
            verbose=verbose,
        )
        lengths = answers.sequences.lengths + answers.closed
        found = [np.empty(0, np.float32)] * len(sources)
        for rows, scored in runs:
            for row, log_probs in zip(rows, scored["log_probs"], strict=True):
                found[row] = log_probs[: lengths[row]].copy()
        return found

    def probabilities(
        self,
        sources: RaggedIds,
        ids: np.ndarray,
        *,
        temperature: float,
        compiles: bool | None = None,
    ) -> np.ndarray:
        """Return the probability of the answers that a search has found.

        Parameters
        ----------
        sources : RaggedIds
        ids : numpy.ndarray
            ``(n, max_length)`` or, with several answers to a source, ``(n, n_best,
            max_length)``.
        temperature : float
        compiles : bool, optional

        Returns
        -------
        numpy.ndarray
            float32, ``(n,)`` or ``(n, n_best)``.
        """
        *shape, max_length = ids.shape
        ids = ids.reshape(-1, max_length)
        stands = ids != PAD
        rows = np.repeat(np.arange(len(sources)), len(ids) // len(sources))
        found = self.token_log_probs(
            sources.take(rows),
            Side(RaggedIds(ids[stands], stands.sum(axis=1)), closed=False),
            temperature=temperature,
            compiles=compiles,
        )
        return np.exp(summed(found)).reshape(shape)


def summed(log_probs: list[np.ndarray]) -> np.ndarray:
    """Return the sum of each array: float32 ``(n,)``."""
    return np.array([each.sum() for each in log_probs], np.float32)
