import pytest
from hypothesis import given
from strategies import token_lists

from kseq2seq.vocabulary import END, PAD, START, UNK, Vocabulary


def test_ids_are_those_of_the_design():
    assert (PAD, UNK, START, END) == (0, 1, 2, 3)


def test_frequent_tokens_come_first_and_equals_in_order():
    vocabulary = Vocabulary.from_sequences(["bab", "ca", "d"])
    assert vocabulary.tokens == ["a", "b", "c", "d"]
    assert vocabulary.encode("abcd") == [4, 5, 6, 7]
    assert len(vocabulary) == 8


def test_min_frequency_and_max_size_leave_tokens_out():
    sequences = ["aaabbc"]
    assert Vocabulary.from_sequences(sequences, min_frequency=2).tokens == ["a", "b"]
    assert Vocabulary.from_sequences(sequences, max_size=1).tokens == ["a"]


@given(token_lists)
def test_decode_inverts_encode_on_known_tokens(tokens):
    vocabulary = Vocabulary("abcdefgh")
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


def test_integers_are_tokens_too():
    vocabulary = Vocabulary.from_sequences([[7, 0, 7]])
    assert vocabulary.decode(vocabulary.encode([0, 7])) == [0, 7]


def test_unknown_tokens_become_unk():
    assert Vocabulary("ab").encode("azb") == [4, UNK, 5]


def test_unknown_tokens_raise_when_asked():
    with pytest.raises(ValueError, match=r"'z' at position 1 .* unknown='unk'"):
        Vocabulary("ab").encode("azb", unknown="error")


def test_decode_stops_at_end_and_leaves_out_padding():
    assert Vocabulary("ab").decode([START, 5, UNK, PAD, 4, END, 5]) == [
        "b",
        "<unk>",
        "a",
    ]


def test_repeated_tokens_are_refused():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        Vocabulary("aba")
