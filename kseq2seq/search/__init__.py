"""Registered layers that run a decoder step by step on its own outputs."""

from kseq2seq.search.beam import BeamSearch
from kseq2seq.search.choice import make_search
from kseq2seq.search.greedy import GreedySearch
from kseq2seq.search.options import LONGEST, SearchOptions, SearchSettings
from kseq2seq.search.rollout import Rollout
from kseq2seq.search.sampling import SamplingSearch
from kseq2seq.search.scheduled_sampling import ScheduledSampling
from kseq2seq.search.token_search import TokenSearch

__all__ = [
    "LONGEST",
    "BeamSearch",
    "GreedySearch",
    "Rollout",
    "SamplingSearch",
    "ScheduledSampling",
    "SearchOptions",
    "SearchSettings",
    "TokenSearch",
    "make_search",
]
