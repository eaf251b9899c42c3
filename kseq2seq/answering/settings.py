"""How a fitted model searches for its answers, in the words of its user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kseq2seq.arguments import check_flag
from kseq2seq.declarations import setting, settings
from kseq2seq.search import SearchSettings
from kseq2seq.training import RunSettings
from kseq2seq.vocabulary import Token


@settings
class AnswerSettings(SearchSettings, RunSettings):
    """What shapes answers, and not training: `set_params` changes it after a fit."""

    forced_prefix: Any | None = setting(
        "str, token list or integers",
        "The beginning of every answer, in the kind that y has.",
        default=None,
        of_training=False,
    )
    forbidden_tokens: Sequence[Token] | None = setting(
        "sequence of tokens",
        "Tokens of the target vocabulary that no answer holds.",
        default=None,
        of_training=False,
    )
    replace_unknown: bool = setting(
        "bool",
        """Whether answers have, in place of an UNK, the source token that attention
        points to most (Luong et al., 2015, arXiv:1410.8206); without, they have
        ``"<unk>"``. Training shows UNK in answers where `min_frequency` or `max_size`
        leave tokens out.""",
        check_flag,
        default=False,
        of_training=False,
    )
