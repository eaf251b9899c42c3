"""How a decoder is wired that moves through the source and never back."""

from __future__ import annotations

from typing import Any

from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.components import Components
from kseq2seq.layers import MonotonicAttention, PlaceVectors


class Monotonic:
    """The layers of monotonic attention, behind the decoder's recurrent ones.

    Attributes
    ----------
    names : list of str
        What it takes from the end of the memory.
    """

    def __init__(self, architecture: Architecture, components: Components) -> None:
        self.names = ["attention_places", "encoder_outputs", "source_mask"]
        self.num_states = len(architecture.decoder_states)
        self.query = components.dense(
            architecture.encoder_width, use_bias=False, name="attention_query"
        )
        self.vector = components.dense(
            architecture.output_width, name="attention_vector"
        )
        self.of_places = PlaceVectors(name="place_vectors")
        self.attention = MonotonicAttention(name="attention")
        self.switch = None
        if architecture.copies:
            self.switch = components.dense(1, name="copy_switch")

    def vectors(self, outputs: Any, memory: list[Any]) -> Any:
        """Return the attentional vectors of all places, as :class:`PlaceVectors`."""
        return self.of_places(self.vector(outputs), memory[-len(self.names)])

    def wire(
        self,
        logits: Any,
        vectors: Any,
        outputs: Any,
        decoder_inputs: Any,
        memory: list[Any],
    ) -> tuple[Any, Any, Any]:
        """Return log-probabilities, the state of the places, and the weights."""
        state, *constants = memory[self.num_states - 1 :]
        copying = [] if self.switch is None else [self.switch(vectors), constants[0]]
        return self.attention(
            logits,
            self.query(outputs),
            *constants[-2:],  # encoder outputs and their mask
            decoder_inputs,
            state,
            *copying,
        )
