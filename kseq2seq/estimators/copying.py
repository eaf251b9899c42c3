"""Which tokens of the source an estimator's decoder may copy, and to which ids."""

from __future__ import annotations

import numpy as np

from kseq2seq.codec import FEATURE, SequenceCodec
from kseq2seq.estimators.settings import ModelSettings
from kseq2seq.vocabulary import FIRST_TOKEN, UNK


def check_copying(settings: ModelSettings) -> None:
    """Raise where models are to copy that have nothing to copy with."""
    if not settings.copy:
        return
    if settings.attention_kind is None:
        raise ValueError(
            "copy=True takes tokens that attention points to, and attention_kind=None "
            "has none. Pass attention_kind='general', or leave copy out."
        )
    if settings.decoder == "repeat":
        raise ValueError(
            "copy=True is for a decoder that reads its answers; leave it out with "
            "decoder='repeat'."
        )


def copy_table(source: SequenceCodec, target: SequenceCodec) -> np.ndarray:
    """Return for each source id the id of the same token in answers, 0 for none.

    Tokens are the same where they are equal, however texts are split: a letter of a
    spelling is one of the sounds that blanks separate. A feature that stands beside
    sources is never copied.

    Raises
    ------
    ValueError
        When the two sides have no token in common.

    Returns
    -------
    array of int32 ``(number of source ids,)``
    """
    tokens = source.vocabulary.tokens
    copied = np.zeros(len(source.vocabulary), dtype=np.int32)
    ids = np.array(target.vocabulary.encode(tokens), dtype=np.int32)
    copied[FIRST_TOKEN:] = np.where(ids == UNK, 0, ids)
    of_vocabulary = source.vocabulary_ids
    table = np.where(of_vocabulary == FEATURE, 0, copied[of_vocabulary])
    if not table.any():
        raise ValueError(
            f"copy=True copies tokens of X into answers, and none of the {len(tokens)} "
            "tokens of X is one of y. Leave it out, or split both sides alike."
        )
    return table
