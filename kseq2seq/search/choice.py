"""The search that options ask for."""

from __future__ import annotations

import keras

from kseq2seq.search.beam import BeamSearch
from kseq2seq.search.greedy import GreedySearch
from kseq2seq.search.options import SearchOptions
from kseq2seq.search.sampling import SamplingSearch
from kseq2seq.search.token_search import TokenSearch


def make_search(
    options: SearchOptions, decoder: keras.Model, num_states: int, max_length: int
) -> TokenSearch:
    """Return the search that the options, once checked, ask for."""
    step = decoder, num_states, max_length, options
    if options.temperature is not None:
        return SamplingSearch(*step, name="sampling_search")
    if options.has_beam:
        return BeamSearch(*step, name="beam_search")
    return GreedySearch(*step, name="greedy_search")
