"""The same models in PyTorch, with the training loop and the searches of a user.

Measured on a CPU of two cores and chosen for speed: Adam is fused, and a decoder step
is ``torch.lstm_cell``, the call of ``nn.LSTMCell``, over the weights of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.problems import padded_ids
from kseq2seq.vocabulary import END, PAD, START

State = tuple[Tensor, Tensor]
"""An LSTM's h and c."""


@dataclass(frozen=True)
class Memory:
    """What the decoder looks back at.

    Attributes
    ----------
    encoder_outputs : Tensor
        ``(batch, source_len, units)``.
    source_mask : Tensor or None
        ``(batch, source_len)``, True where a token stands; None where all do.
    """

    encoder_outputs: Tensor
    source_mask: Tensor | None


class TorchSeq2Seq(nn.Module):
    """An LSTM encoder and an LSTM decoder, with Luong's dot attention or without.

    Parameters
    ----------
    source_size, target_size : int
        How many ids each side knows.
    units : int
        The width of embeddings, recurrent layers and the attentional vector.
    attends : bool
        Whether the decoder looks back (Luong et al., 2015, equations 5 to 7).
    """

    def __init__(
        self, *, source_size: int, target_size: int, units: int, attends: bool
    ) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(source_size, units)
        self.target_embedding = nn.Embedding(target_size, units)
        self.encoder = nn.LSTM(units, units, batch_first=True)
        self.decoder = nn.LSTM(units, units, batch_first=True)
        self.attention_vector = nn.Linear(2 * units, units) if attends else None
        self.logits = nn.Linear(units, target_size)

    def forward(
        self, source_ids: Tensor, lengths: Tensor | None, target_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss, how many tokens were right, and how many there are."""
        embedded = self.source_embedding(source_ids)
        if lengths is not None:
            encoder_outputs, state = self._encode_packed(embedded, lengths)
        else:  # here, as a call further down would cut the compiled graph more often
            encoder_outputs, state = self.encoder(embedded)
        memory = Memory(encoder_outputs, source_ids != PAD)
        decoder_input_ids = functional.pad(target_ids[:, :-1], (1, 0), value=START)
        outputs, _ = self.decoder(self.target_embedding(decoder_input_ids), state)
        logits = self.read(outputs, memory)  # (batch, target_len, target_size)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), target_ids.flatten(), ignore_index=PAD
        )
        is_token = target_ids != PAD
        right = (logits.argmax(-1) == target_ids) & is_token
        return loss, right.sum(), is_token.sum()

    def _encode_packed(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Return encoder outputs and state; padding on the right is packed away."""
        packed = pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        outputs, state = self.encoder(packed)
        if self.attention_vector is not None:  # nobody else reads the outputs
            outputs, _ = pad_packed_sequence(
                outputs, batch_first=True, total_length=embedded.shape[1]
            )
        return outputs, state

    def encode(self, source_ids: Tensor) -> tuple[Memory, State]:
        """Return what the decoder looks back at, and the state ``(1, batch, units)``.

        The sources are of one length, without padding.
        """
        encoder_outputs, state = self.encoder(self.source_embedding(source_ids))
        return Memory(encoder_outputs, None), state

    def read(self, outputs: Tensor, memory: Memory) -> Tensor:
        """Return the logits of decoder outputs ``(batch, any, units)``."""
        if self.attention_vector is not None:
            scores = outputs @ memory.encoder_outputs.transpose(1, 2)
            if memory.source_mask is not None:
                scores = scores.masked_fill(~memory.source_mask[:, None], -torch.inf)
            context = scores.softmax(-1) @ memory.encoder_outputs
            both = torch.cat([context, outputs], -1)
            outputs = torch.tanh(self.attention_vector(both))
        return self.logits(outputs)

    def step(
        self, last_ids: Tensor, state: State, memory: Memory
    ) -> tuple[Tensor, State]:
        """Return the logits of one step, ``(batch, hypotheses, target_size)``.

        The hypotheses of a source are neighbours in `last_ids` and in the state, of
        ``(batch * hypotheses, units)``, and look back at the same encoder outputs.
        """
        lstm = self.decoder
        state = torch.lstm_cell(
            self.target_embedding(last_ids),
            state,
            lstm.weight_ih_l0,
            lstm.weight_hh_l0,
            lstm.bias_ih_l0,
            lstm.bias_hh_l0,
        )
        batch, units = len(memory.encoder_outputs), state[0].shape[-1]
        return self.read(state[0].view(batch, -1, units), memory), state

    @torch.inference_mode()
    def greedy(self, source_ids: Tensor, *, max_length: int) -> Tensor:
        """Return the answers ``(batch, at most max_length)`` to sources of one length.

        A row that has ended gets PAD.
        """
        memory, (state_h, state_c) = self.encode(source_ids)
        state = state_h[0], state_c[0]
        last_ids = source_ids.new_full((len(source_ids),), START)
        ended = torch.zeros_like(last_ids, dtype=torch.bool)
        answers = []
        for _ in range(max_length):
            logits, state = self.step(last_ids, state, memory)
            last_ids = logits[:, 0].argmax(-1).masked_fill(ended, PAD)
            answers.append(last_ids)
            ended |= last_ids == END
            if ended.all():
                break
        return torch.stack(answers, 1)

    @torch.inference_mode()
    def greedy_one(self, source_ids: Tensor, *, max_length: int) -> list[int]:
        """Return the answer to one source ``(source_len,)``, without its END."""
        memory, (state_h, state_c) = self.encode(source_ids[None])
        state = state_h[0], state_c[0]
        last_ids = source_ids.new_full((1,), START)
        answer: list[int] = []
        for _ in range(max_length):
            logits, state = self.step(last_ids, state, memory)
            last_ids = logits[0].argmax(-1)
            last_id = int(last_ids)
            if last_id == END:
                break
            answer.append(last_id)
        return answer

    @torch.inference_mode()
    def beam(self, source_ids: Tensor, *, beam_size: int, max_length: int) -> Tensor:
        """Return the most probable answer found to each source, as `greedy` does.

        All hypotheses of all sources take a step together. One that has ended is
        frozen: it goes on with PAD alone, at no cost.
        """
        memory, state = self.encode(source_ids)
        state_h, state_c = (s[0].repeat_interleave(beam_size, 0) for s in state)
        batch, size = len(source_ids), self.logits.out_features
        first_row = torch.arange(0, batch * beam_size, beam_size)[:, None]
        scores = torch.full((batch, beam_size), -torch.inf)
        scores[:, 0] = 0.0  # at first all hypotheses of a source are the same one
        frozen = torch.full((size,), -torch.inf)
        frozen[PAD] = 0.0
        last_ids = source_ids.new_full((batch, beam_size), START)
        ended = torch.zeros_like(last_ids, dtype=torch.bool)
        answers = source_ids.new_full((batch * beam_size, max_length), PAD)
        for i in range(max_length):
            logits, (state_h, state_c) = self.step(
                last_ids.flatten(), (state_h, state_c), memory
            )
            log_probs = logits.log_softmax(-1)  # (batch, beam_size, size)
            log_probs = torch.where(ended[..., None], frozen, log_probs)
            totals = (scores[..., None] + log_probs).flatten(1)
            scores, best = totals.topk(beam_size)  # (batch, beam_size), best first
            origins, last_ids = best // size, best % size
            rows = (first_row + origins).flatten()
            state_h, state_c, answers = state_h[rows], state_c[rows], answers[rows]
            answers[:, i] = last_ids.flatten()
            ended = ended.gather(1, origins) | (last_ids == END)
            if ended.all():
                break
        return answers[::beam_size]


class TorchTraining:
    """The training loop over pairs that are in memory as padded tensors.

    Parameters
    ----------
    sources, targets : sequence of str
    units, attends
        As in :class:`TorchSeq2Seq`.
    packs : bool
        Whether source padding stands on the right and is packed away; else it stands
        on the left and is read like tokens, which is the faster of the two. (On the
        right it would need a loop over the steps in Python: the layer gives c of the
        last step only.)
    compiles : bool
        Whether ``torch.compile`` makes the forward pass and the loss. For it `packs`
        should be False: packing cuts the graph in pieces, and was slower by a quarter.
        The recurrent layers stay their own kernels, as by default; with ``allow_rnn``
        they took more than a minute to compile and gained less than a tenth.
        The last batch is smaller than the others; each of the two sizes is compiled
        for itself.
    batch_size : int, default 64
    """

    def __init__(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        units: int,
        attends: bool,
        packs: bool,
        compiles: bool,
        batch_size: int = 64,
    ) -> None:
        source_ids, lengths, source_size = padded_ids(sources, left=not packs)
        target_ids, _, target_size = padded_ids(targets)
        self.source_ids = torch.from_numpy(source_ids)
        self.lengths = torch.from_numpy(lengths) if packs else None
        self.target_ids = torch.from_numpy(target_ids)
        self.model = TorchSeq2Seq(
            source_size=source_size,
            target_size=target_size,
            units=units,
            attends=attends,
        )
        self.forward = (
            torch.compile(self.model, dynamic=False) if compiles else self.model
        )
        self.batch_size = batch_size
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.001, fused=True)

    def epoch(self, after_batch: Callable[[], None]) -> tuple[float, float]:
        """Train for one epoch; return its mean loss and token accuracy."""
        losses, rights, tokens = torch.zeros(()), torch.tensor(0), torch.tensor(0)
        batches = torch.randperm(len(self.source_ids)).split(self.batch_size)
        for rows in batches:
            loss, right, batch_tokens = self._update(rows)
            losses += loss
            rights += right
            tokens += batch_tokens
            after_batch()
        return losses.item() / len(batches), (rights / tokens).item()

    def _update(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = None if self.lengths is None else self.lengths[rows]
        loss, right, tokens = self.forward(
            self.source_ids[rows], lengths, self.target_ids[rows]
        )
        update(self.model, self.optimizer, loss)
        return loss.detach(), right, tokens


def update(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take a step down the gradient, whose norm is clipped at 1."""
    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
