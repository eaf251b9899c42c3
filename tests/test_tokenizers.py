import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kseq2seq.tokenizers import (
    get_tokenizer,
    tokenizer_from_json,
    tokenizer_to_json,
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
