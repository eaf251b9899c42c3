import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from kseq2seq.tokenizer_files import tokenizer_from_json, tokenizer_to_json
from kseq2seq.tokenizers import (
    get_tokenizer,
    prepare_text,
    train_tokenizer,
)


def subword_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["low lower lowest"], trainer)
    return tokenizer


@given(texts)
@pytest.mark.parametrize("name", ["char", "word"])
def test_decode_inverts_encode_on_any_text(name, text):
    tokenizer = get_tokenizer(name)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(st.text("ab.,é", min_size=1)))
def test_whitespace_inverts_text_with_single_spaces(words):
    tokenizer = get_tokenizer("whitespace")
    assert tokenizer.decode(tokenizer.encode(" ".join(words))) == " ".join(words)


@given(st.text("lowerst "))
def test_subwords_invert_known_text(text):
    tokenizer = get_tokenizer(subword_tokenizer())
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.fixture(scope="module", params=["bpe:300", "unigram:300"])
def trained(request):
    return train_tokenizer(request.param, ["low lower lowest", "newer, wider!"] * 9)


@given(st.text())
def test_trained_subwords_invert_any_text(trained, text):
    tokenizer = get_tokenizer(trained)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_trained_subwords_are_of_the_texts_and_no_more_than_asked(trained):
    assert 256 < trained.get_vocab_size() <= 300
    assert len(get_tokenizer(trained).encode("lower")) < len("lower")


@pytest.mark.parametrize(
    ("options", "prepared"),
    [
        ({}, "Cafe\u0301 \ufb01n"),
        ({"lowercase": True}, "cafe\u0301 \ufb01n"),
        ({"unicode_normalization": "NFC"}, "Caf\u00e9 \ufb01n"),
        ({"lowercase": True, "unicode_normalization": "NFKC"}, "caf\u00e9 fin"),
    ],
)
def test_a_text_is_prepared_as_asked(options, prepared):
    assert prepare_text("Cafe\u0301 \ufb01n", **options) == prepared


def test_the_same_texts_give_the_same_byte_pairs():
    first, second = (train_tokenizer("bpe:300", ["ab abc b"] * 3) for _ in range(2))
    assert first.to_str() == second.to_str()


def test_a_tokenizer_that_needs_no_training_stays_as_it_is():
    assert train_tokenizer("word", ["a b"]) == "word"


def test_fewer_subwords_than_bytes_are_refused():
    with pytest.raises(ValueError, match=r"at least 256 subwords, .*; got 'bpe:99'"):
        train_tokenizer("bpe:99", ["a"])


def test_subwords_without_the_extra_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'kseq2seq\[text\]'"):
        train_tokenizer("bpe:300", ["a"])


@pytest.mark.parametrize("wrong", ["bpe", "bpe:", "bpe:8k", "bep:8000", "bpe:-1"])
def test_a_name_without_a_size_is_no_trained_tokenizer(wrong):
    with pytest.raises(ValueError, match=r"'bpe:8000' or .*; got"):
        get_tokenizer(wrong)


def test_a_pair_of_functions_is_a_tokenizer():
    tokenizer = get_tokenizer((lambda text: text.split("|"), "|".join))
    assert tokenizer.encode("a|b") == ["a", "b"]
    assert tokenizer.decode(["a", "b"]) == "a|b"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", ["Hello", "￭,", "world", "￭!"]),
        ("(a)", ["(￭", "a", "￭)"]),
        ("don't", ["don", "￭'￭", "t"]),
        ("a - b", ["a", "-", "b"]),
        ("a  b", ["a", "￭  ￭", "b"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("नमस्ते", ["नमस्ते"]),
        ("", []),
    ],
)
def test_word_splits_words_and_punctuation(text, tokens):
    assert get_tokenizer("word").encode(text) == tokens


@pytest.mark.parametrize("name", ["char", "word", "whitespace"])
def test_named_tokenizers_survive_json(name):
    assert tokenizer_from_json(tokenizer_to_json(name)) == name


def test_subwords_survive_json():
    tokenizer = subword_tokenizer()
    again = tokenizer_from_json(tokenizer_to_json(tokenizer))
    assert again.encode("lowest").tokens == tokenizer.encode("lowest").tokens


def changed(**parts):
    """Return a trained tokenizer with other parts, as a JSON value."""
    value = json.loads(subword_tokenizer().to_str())
    value["model"] |= parts.pop("model", {})
    return {"tokenizers": json.dumps(value | parts)}


def sequence(*types):
    parts = [{"type": kind} for kind in types]
    return {"type": "Sequence", "normalizers": parts}


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}
ADDED = {"id": 1, "content": "a" * 101}


@pytest.mark.parametrize(
    "value",
    [
        3,
        "words",
        {"tokenizers": 3},
        {"tokenizers": "{}"},
        {"tokenizers": "[" * 9999},
        {"tokenizers": '{"model": {"type": "BPE", "vocab": {}, "merges": 3}}'},
        changed(padding={"strategy": {"Fixed": 10**9}}),
        changed(truncation={"max_length": 4}),
        changed(normalizer={"type": "Prepend", "prepend": "a" * 17}),
        changed(normalizer=REPLACE),
        changed(normalizer=sequence(*["NFC"] * 17)),
        changed(normalizer=sequence("ByteLevel", "ByteLevel")),
        changed(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$"}}),
        changed(post_processor={"type": "TemplateProcessing", "single": []}),
        changed(added_tokens=[ADDED]),
        changed(model={"continuing_subword_prefix": "a" * 99}),
        changed(model={"merges": [["no", "such"]]}),
        changed(model={"vocab": {"a": -1}}),
        changed(model={"type": "Unigram", "vocab": []}),
        changed(more={}),
    ],
    ids=lambda value: str(value).replace(" ", "")[-40:],
)
def test_subwords_that_a_file_must_not_hold_are_refused(value):
    with pytest.raises(ValueError, match="tokenizer"):
        tokenizer_from_json(value)


def test_what_could_not_be_read_is_not_written():
    tokenizer = subword_tokenizer()
    tokenizer.enable_padding(length=10)
    with pytest.raises(ValueError, match=r"has padding; call no_padding\(\) first"):
        tokenizer_to_json(tokenizer)
    tokenizer.no_padding()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Prepend("_")]
    )
    again = tokenizer_from_json(tokenizer_to_json(tokenizer))
    assert again.encode("LOWer").tokens == tokenizer.encode("LOWer").tokens


def test_functions_are_refused_by_the_model_file():
    with pytest.raises(TypeError, match="holds no code"):
        tokenizer_to_json((str.split, " ".join))


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(ValueError, match="got 'words'. Did you mean 'word'?"):
        get_tokenizer("words")


@pytest.mark.parametrize("wrong", [None, 3, (str.split,), object(), str.split])
def test_what_is_no_tokenizer_is_refused(wrong):
    with pytest.raises(TypeError, match="a pair of functions"):
        get_tokenizer(wrong)
