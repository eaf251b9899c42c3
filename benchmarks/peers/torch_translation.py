"""A translation model in PyTorch, with the training loop of a user.

:class:`TorchTranslator` is the model of kseq2seq's builders, weight for weight, and
:class:`TorchTutorial` the one that tutorials teach, whose decoder reads the context and
so attends inside a loop. Chosen for speed on a CPU of two cores: the layers read whole
sequences, and Adam is fused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.peers.torch_seq2seq import update
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import PAD, START


class _Encoder(nn.Module):
    """A bidirectional GRU over embeddings, and the state that the decoder starts from.

    Gives encoder outputs ``(batch, source_len, 2 * units)`` and a state ``(1, batch,
    units)``; padding is packed away.
    """

    def __init__(self, size: int, *, units: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, width)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(width, units, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * units, units)

    def forward(self, source_ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(
            self.dropout(self.embedding(source_ids)),
            lengths,
            batch_first=True,
            enforce_sorted=False,
        )
        outputs, state = self.gru(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        state = torch.tanh(self.bridge(torch.cat([state[0], state[1]], -1)))
        return outputs, state[None]


class _AdditiveAttention(nn.Module):
    """Weights ``softmax(v . tanh(query + key))`` over the source's tokens.

    Bahdanau et al., 2015, arXiv:1409.0473, section A.1.2.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.query = nn.Linear(units, units)
        self.keys = nn.Linear(2 * units, units, bias=False)
        self.scale = nn.Linear(units, 1, bias=False)

    def forward(
        self, outputs: Tensor, encoder_outputs: Tensor, keys: Tensor, mask: Tensor
    ) -> Tensor:
        """Return the contexts ``(batch, target_len, 2 * units)`` of decoder outputs."""
        # (batch, target_len, source_len, units)
        hidden = torch.tanh(self.query(outputs)[:, :, None] + keys[:, None])
        scores = self.scale(hidden)[..., 0].masked_fill(~mask[:, None], -torch.inf)
        return scores.softmax(-1) @ encoder_outputs


class TorchTranslator(nn.Module):
    """A GRU decoder whose outputs look back, all steps at once.

    Parameters
    ----------
    source_size, target_size : int
        How many ids each side knows.
    units : int
        The width of the decoder and of each direction of the encoder.
    embedding_dim, attention_units : int
        The widths of the embeddings, and of what the logits are read from.
    dropout : float
        Of the embeddings, and of the values before the logits.
    """

    def __init__(
        self,
        *,
        source_size: int,
        target_size: int,
        units: int,
        embedding_dim: int,
        attention_units: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(
            source_size, units=units, width=embedding_dim, dropout=dropout
        )
        self.embedding = nn.Embedding(target_size, embedding_dim)
        self.decoder = nn.GRU(embedding_dim, units, batch_first=True)
        self.attention = _AdditiveAttention(units)
        self.vector = nn.Linear(3 * units, attention_units)
        self.logits = nn.Linear(attention_units, target_size)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, source_ids: Tensor, lengths: Tensor, decoder_input_ids: Tensor
    ) -> Tensor:
        """Return logits ``(batch, target_len, target_size)``."""
        encoder_outputs, state = self.encoder(source_ids, lengths)
        outputs, _ = self.decoder(
            self.dropout(self.embedding(decoder_input_ids)), state
        )
        keys = self.attention.keys(encoder_outputs)
        context = self.attention(outputs, encoder_outputs, keys, source_ids != PAD)
        vector = torch.tanh(self.vector(torch.cat([context, outputs], -1)))
        return self.logits(self.dropout(vector))


class TorchTutorial(nn.Module):
    """A GRU decoder that reads the context of the state before, step after step.

    Parameters
    ----------
    source_size, target_size, units, embedding_dim, dropout
        As in :class:`TorchTranslator`; the dropout is that of the embeddings.
    """

    def __init__(
        self,
        *,
        source_size: int,
        target_size: int,
        units: int,
        embedding_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(
            source_size, units=units, width=embedding_dim, dropout=dropout
        )
        self.embedding = nn.Embedding(target_size, embedding_dim)
        self.decoder = nn.GRU(embedding_dim + 2 * units, units, batch_first=True)
        self.attention = _AdditiveAttention(units)
        self.logits = nn.Linear(embedding_dim + 3 * units, target_size)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, source_ids: Tensor, lengths: Tensor, decoder_input_ids: Tensor
    ) -> Tensor:
        """Return logits ``(batch, target_len, target_size)``."""
        encoder_outputs, state = self.encoder(source_ids, lengths)
        keys, mask = self.attention.keys(encoder_outputs), source_ids != PAD
        embedded = self.dropout(self.embedding(decoder_input_ids))
        logits = []
        for step in embedded.split(1, dim=1):  # (batch, 1, embedding_dim)
            query = state.transpose(0, 1)
            context = self.attention(query, encoder_outputs, keys, mask)
            output, state = self.decoder(torch.cat([step, context], -1), state)
            logits.append(self.logits(torch.cat([output, context, step], -1)))
        return torch.cat(logits, 1)


class TranslationTraining:
    """The training loop over batches of captions, each padded to its own longest.

    Parameters
    ----------
    model : nn.Module
    sources, targets : RaggedIds
        Of all captions, without END.
    batches : sequence of arrays of int
        The captions of each batch.
    label_smoothing : float
    bfloat16 : bool, default False
        Whether the model multiplies in half precision. Its weights, and the loss, are
        in float32 all the same.
    """

    def __init__(
        self,
        model: nn.Module,
        sources: RaggedIds,
        targets: RaggedIds,
        batches: Sequence[np.ndarray],
        *,
        label_smoothing: float,
        bfloat16: bool = False,
    ) -> None:
        self.model = model
        self.bfloat16 = bfloat16
        self.label_smoothing = label_smoothing
        self.batches = [
            (
                _tensor(sources, rows),
                torch.from_numpy(sources.lengths[rows].astype(np.int64) + 1),
                _tensor(targets, rows),
            )
            for rows in batches
        ]
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)

    def epoch(self, after_batch: Callable[[], None]) -> tuple[float, float]:
        """Train on each batch once; return the mean loss and the token accuracy."""
        losses, rights, tokens = torch.zeros(()), torch.tensor(0), torch.tensor(0)
        for i in torch.randperm(len(self.batches)).tolist():
            source_ids, lengths, target_ids = self.batches[i]
            decoder_input_ids = functional.pad(target_ids[:, :-1], (1, 0), value=START)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                logits = self.model(source_ids, lengths, decoder_input_ids)
            loss = functional.cross_entropy(
                logits.flatten(0, 1).float(),
                target_ids.flatten(),
                ignore_index=PAD,
                label_smoothing=self.label_smoothing,
            )
            update(self.model, self.optimizer, loss)
            is_token = target_ids != PAD
            losses += loss.detach()
            rights += ((logits.argmax(-1) == target_ids) & is_token).sum()
            tokens += is_token.sum()
            after_batch()
        return losses.item() / len(self.batches), (rights / tokens).item()


def _tensor(ids: RaggedIds, rows: np.ndarray) -> Tensor:
    return torch.from_numpy(ids.padded(rows, closed=True).astype(np.int64))
