"""What embeddings were looked up: the ids and the table behind a tensor.

A recurrent layer multiplies its inputs by its kernel. Where these are the rows of a
table that is smaller than the batch has tokens, it is cheaper to multiply the table
once and to look up rows of the product. For this the embedding layer notes on its
result what it looked up, and the recurrent layer reads the note.

The note is on the tensor itself, as Keras's masks are: it holds for as long as layers
hand on the very same tensor, which Keras does within a model, in graphs and in eager
calls. So it holds

- with no dropout of embeddings, in training too: there is no layer between the two;
- with word dropout, which changes the ids before they are looked up;
- with dropout of embeddings outside training: the layer then returns what it was given;
- for both directions of a bidirectional layer;
- for a single step of an LSTM, as a search takes it. A single step of a GRU is Keras's
  own, and reads no note.

It cannot hold where training drops values of the embeddings: it drops others at every
place, so that equal ids no longer have equal vectors. Nor does it hold where embeddings
are joined with attentional vectors, or on a backend other than TensorFlow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lookup:
    """Ids ``(batch, len)`` and the table ``(vocabulary, width)`` they are rows of."""

    ids: Any
    table: Any

    @property
    def is_small(self) -> bool:
        """Whether the table has at most as many rows as there are ids.

        Only sizes that are known when a graph is made count; an axis of unknown size is
        taken for 1.

        - Both sizes are known in eager calls, and in trainings and predictions that
          are compiled.
        - Trainings that are not compiled know the size of a batch alone; Keras's own
          ``fit`` knows the length alone, where all batches have the same.
        - Predictions that are not compiled know neither.
        """
        num_ids = math.prod(size or 1 for size in self.ids.shape)
        return self.table.shape[0] <= num_ids


def note_lookup(embedded: Any, ids: Any, table: Any) -> Any:
    """Return the embeddings, with a note on them of what was looked up."""
    embedded._kseq2seq_lookup = Lookup(ids, table)
    return embedded


def find_lookup(embedded: Any) -> Lookup | None:
    """Return what was looked up to make this very tensor, or None."""
    return getattr(embedded, "_kseq2seq_lookup", None)
