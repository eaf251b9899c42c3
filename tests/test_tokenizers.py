import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kseq2seq.tokenizers import (
    get_tokenizer,
    prepare_text,
    tokenizer_from_json,
    tokenizer_to_json,
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
