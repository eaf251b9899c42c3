"""Tokenizers as JSON values of a model file, and back.

A ``tokenizers.Tokenizer`` may hold parts that pad, truncate, repeat or replace without
bound, or match patterns for ever. A file may hold those that cannot: the same rules
stand before writing and after reading.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kseq2seq.arguments import quoted_choices, shown
from kseq2seq.persistence import read_json
from kseq2seq.tokenizers import (
    NAMED_TOKENIZERS,
    import_tokenizers,
    is_subword,
    is_trained,
)

_PARTS = {
    "normalizer": (
        *("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD"),
        *("Nmt", "Prepend", "Strip", "StripAccents"),
    ),
    "pre_tokenizer": (
        *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace"),
        *("Punctuation", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
    ),
    "post_processor": ("BertProcessing", "ByteLevel", "RobertaProcessing"),
    "decoder": (
        *("BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Strip"),
        "WordPiece",
    ),
    "model": ("BPE", "Unigram", "WordLevel", "WordPiece"),
}
"""The kinds of each part that make no more of a text than a few times its length."""
_OTHERS = {"version", "truncation", "padding", "added_tokens"}
_MOST_IN_SEQUENCE = 16
_LONGEST_STRING = 16
"""Characters of a part's own, such as what it puts before words."""
_LONGEST_WORD = 1000
"""Characters of a word that are split at most; the time rises with their square."""
_MOST_ADDED = 1000


def tokenizer_to_json(tokenizer: Any) -> Any:
    """Return a JSON value for a tokenizer that a user may pass.

    Raises
    ------
    TypeError
        For functions and other objects: a model file holds no code.
    ValueError
        For a ``tokenizers.Tokenizer`` with parts that a model file does not hold.
    """
    if isinstance(tokenizer, str):
        return tokenizer
    if is_subword(tokenizer):
        described = tokenizer.to_str()
        check_subwords(described)
        return {"tokenizers": described}
    raise TypeError(
        "a model file holds no code, so a tokenizer of your own cannot be saved: "
        f"{tokenizer!r}. Split the texts yourself and fit on token lists, or use "
        f"{quoted_choices(NAMED_TOKENIZERS)} or a tokenizers.Tokenizer."
    )


def tokenizer_from_json(value: Any) -> Any:
    """Return what :func:`tokenizer_to_json` was given.

    Raises
    ------
    ValueError
        When it is none of what that returns.
    """
    if isinstance(value, str) and (value in NAMED_TOKENIZERS or is_trained(value)):
        return value
    if not isinstance(value, Mapping) or set(value) != {"tokenizers"}:
        raise ValueError(f"{shown(value)} is no tokenizer of a model file")
    described = value["tokenizers"]
    if not isinstance(described, str):
        raise ValueError(f"{shown(described)} describes no tokenizer")
    check_subwords(described)
    tokenizers = import_tokenizers()
    try:
        tokenizer = tokenizers.Tokenizer.from_str(described)
        ids = tokenizer.encode("a b", add_special_tokens=False).ids
        tokenizer.decode(ids, skip_special_tokens=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        raise ValueError(f"its subword tokenizer cannot be used: {error}") from None
    return tokenizer


def check_subwords(described: str) -> None:
    """Raise unless this is JSON of a subword tokenizer that a model file may hold.

    Raises
    ------
    ValueError
        The message names the part.
    """
    try:
        value = read_json(described)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its subword tokenizer is none: {error!s:.80}") from None
    try:
        _check_whole(value)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its subword tokenizer is none: {error!r:.80}") from None


def _check_whole(value: Mapping[str, Any]) -> None:
    _check(set(value) <= {*_PARTS, *_OTHERS}, "has unknown parts", sorted(value))
    for name, instead in (("padding", "no_padding"), ("truncation", "no_truncation")):
        _check(value.get(name) is None, f"has {name}; call {instead}() first", name)
    num_byte_levels = Counter[str]()
    for name, kinds in _PARTS.items():
        for part in _flat(value.get(name)):
            kind = part["type"]
            _check(kind in kinds, f"has a {name} that model files do not hold", kind)
            num_byte_levels[name] += kind == "ByteLevel"
            if name != "model":
                _check_part(part)
    doubled = num_byte_levels["normalizer"] + num_byte_levels["pre_tokenizer"]
    _check(doubled <= 1, "spells bytes more than once, as", "ByteLevel")
    _check_model(value["model"])
    _check_added(value.get("added_tokens") or [])


def _flat(part: Any, room: int = _MOST_IN_SEQUENCE) -> Iterator[Mapping[str, Any]]:
    """Yield a part, or those of a sequence of parts."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
        return
    (inner,) = (value for name, value in part.items() if name != "type")
    _check(len(inner) <= room, "has too long a sequence of parts", len(inner))
    for one in inner:
        yield from _flat(one, room // 2)


def _check_part(part: Mapping[str, Any]) -> None:
    """Raise for a part with a long string of its own."""
    for value in part.values():
        short = not isinstance(value, str) or len(value) <= _LONGEST_STRING
        plain = isinstance(value, str | bool | int | type(None)) or _is_token(value)
        _check(short and plain, "has a part that is too long", value)


def _is_token(value: Any) -> bool:
    """Whether this is a special token with its id, as post-processors have them."""
    return (
        isinstance(value, list)
        and list(map(type, value)) == [str, int]
        and len(value[0]) <= _LONGEST_STRING
    )


def _check_model(model: Mapping[str, Any]) -> None:
    """Raise unless the entries of a model are what they are called."""
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        value = model.get(name)
        short = value is None or (isinstance(value, str) and len(value) < 16)
        _check(short, f"has too long a {name}", value)
    longest = model.get("max_input_chars_per_word", 0)
    _check(
        type(longest) is int and 0 <= longest <= _LONGEST_WORD,
        f"must have a max_input_chars_per_word of at most {_LONGEST_WORD}; it has",
        longest,
    )
    vocabulary = model["vocab"]
    if model["type"] == "Unigram":
        listed = isinstance(vocabulary, list) and all(
            len(entry) == 2
            and isinstance(entry[0], str)
            and isinstance(entry[1], int | float)
            and math.isfinite(entry[1])
            for entry in vocabulary
        )
        _check(listed and bool(vocabulary), "has no vocabulary", vocabulary)
        return
    numbered = isinstance(vocabulary, dict) and all(
        type(i) is int and 0 <= i < 2**31 for i in vocabulary.values()
    )
    _check(numbered, "has no vocabulary", vocabulary)


def _check_added(added: list[Mapping[str, Any]]) -> None:
    fits = len(added) <= _MOST_ADDED and all(
        isinstance(token["content"], str) and len(token["content"]) <= 100
        for token in added
    )
    _check(fits, "has too many, or too long, added tokens", len(added))


def _check(fits: bool, wrong: str, value: Any) -> None:
    if not fits:
        raise ValueError(
            f"its subword tokenizer {wrong}: {shown(value)}. A model file holds "
            "tokenizers that make no more of a text than a few times its length; "
            "leave the part out, or pickle the estimator"
        )
