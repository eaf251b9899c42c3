"""How probable answers should be held to be: one temperature, fitted after training."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from kseq2seq.arguments import check_real
from kseq2seq.batching import shift
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import PAD

FEWEST_PAIRS, MOST_PAIRS = 5, 1000
"""A temperature is fitted on this many pairs; of fewer it would tell by chance."""
MOST_LOGITS = 2**25
"""And on this many logits, of 4 bytes each."""
BATCH_SIZE = 256
COLDEST, HOTTEST = 0.05, 20.0


def check_temperature(temperature: float) -> float:
    """Return a temperature of :func:`fit_temperature`, or raise."""
    return check_real(
        "calibration_temperature", temperature, minimum=COLDEST, maximum=HOTTEST
    )


def fit_temperature(
    model: keras.Model,
    sources: RaggedIds,
    targets: RaggedIds,
    weights: np.ndarray,
) -> float:
    """Return the temperature at which a model's probabilities are nearest to the truth.

    It is the one that makes unseen answers most probable, token by token (Guo et al.,
    2017, arXiv:1706.04599, section 4.2): the tokens' probabilities are then
    ``softmax(logits / temperature)``. It changes no token's rank.

    Parameters
    ----------
    model : keras.Model
        ``Seq2SeqModels.training``.
    sources, targets : RaggedIds
        Pairs that the model was not trained on; of more than 1,000 some are taken.
    weights : numpy.ndarray ``(n_pairs,)``
        How much each pair counts.

    Returns
    -------
    float
        From 0.05 to 20; below 1 where the model's own probabilities are too low, as
        label smoothing makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq import build_seq2seq
    >>> from kseq2seq.ragged import RaggedIds
    >>> from kseq2seq.training import fit_temperature
    >>> model = build_seq2seq(9, 8, units=4, random_state=0).training
    >>> pairs = RaggedIds.of([[4], [5, 6]])
    >>> 0.05 <= fit_temperature(model, pairs, pairs, np.ones(2)) <= 20
    True
    """
    from scipy.optimize import minimize_scalar

    bounds = np.log(COLDEST), np.log(HOTTEST)
    with np.errstate(over="ignore", invalid="ignore"):  # logits may not be finite
        tokens = _tokens(model, sources, targets, weights)
        found = minimize_scalar(
            lambda log_temperature: tokens.loss(np.float32(np.exp(-log_temperature))),
            bounds=bounds,
            method="bounded",
        )
    if not np.isfinite(found.fun):
        return 1.0
    return float(np.clip(np.exp(found.x), COLDEST, HOTTEST))


class _Tokens(NamedTuple):
    """The tokens of pairs, as a model sees them.

    Attributes
    ----------
    logits : numpy.ndarray
        ``(n_tokens, vocabulary)``, less the best of each.
    chosen : numpy.ndarray
        The logits of the right tokens.
    weights : numpy.ndarray
    margins : numpy.ndarray ``(n_pairs,)``
        How far the second best logit is from the best where it is nearest, pair by
        pair.
    """

    logits: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray
    margins: np.ndarray

    def loss(self, inverse: np.float32) -> float:
        """Return the cross-entropy at an inverse temperature.

        As if one more pair had gone wrong, at its least sure token: or what was always
        right would seem certain (Platt, 1999, section 2.2).
        """
        sums = np.log(np.exp(self.logits * inverse).sum(axis=1))
        losses = self.weights @ (sums - self.chosen * inverse)
        margin = np.median(self.margins) * inverse
        one_more = self.weights.mean() * (margin + np.log1p(np.exp(-margin)))
        return float((losses + one_more) / self.weights.sum())


def _tokens(
    model: keras.Model, sources: RaggedIds, targets: RaggedIds, weights: np.ndarray
) -> _Tokens:
    """Return the tokens of pairs, not too many, and their logits."""
    num_ids = model.output_shape[-1]
    most = min(MOST_PAIRS, MOST_LOGITS // (num_ids * (int(targets.lengths.max()) + 1)))
    rows = np.linspace(0, len(sources) - 1, max(1, min(most, len(sources)))).astype(int)
    rows = rows[np.argsort(targets.lengths[rows], kind="stable")]
    parts = []
    for start in range(0, len(rows), BATCH_SIZE):
        some = rows[start : start + BATCH_SIZE]
        target_ids = targets.padded(some, closed=True)
        inputs = [sources.padded(some, closed=True), shift(target_ids)]
        # Not in a graph: to make one would take longer than to do without.
        logits = keras.ops.convert_to_numpy(model(inputs, training=False))
        logits = logits.astype(np.float32)
        logits -= logits.max(axis=-1, keepdims=True)
        stands = target_ids != PAD
        second = np.partition(logits, -2, axis=-1)[..., -2]
        chosen = np.take_along_axis(logits, target_ids[..., None], axis=-1)[..., 0]
        many = np.broadcast_to(weights[some][:, None], stands.shape)
        margins = np.where(stands, -second, np.inf).min(axis=1)
        parts.append((logits[stands], chosen[stands], many[stands], margins))
    return _Tokens(*map(np.concatenate, zip(*parts, strict=True)))
