import numpy as np
import pytest

from kseq2seq.codec import SequenceCodec, as_sequences, as_vocabulary
from kseq2seq.vocabulary import Vocabulary

NAN = float("nan")


class Table(list):
    """What passes for a DataFrame, without its package."""

    columns = ("a", "b")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ab", ""], "text"),
        (np.array(["ab", "c"]), "text"),
        (np.array(["ab", "c"], dtype=object), "text"),
        ((text for text in ["ab"]), "text"),
        ([["a", "bc"], []], "tokens"),
        ([("a",), ("b",)], "tokens"),
        ([[1, 2], [3]], "tokens"),
        ([[1, 2], [3, 4]], "integers"),
        (np.array([[1, 2], [3, 4]]), "integers"),
        ([np.array([1, 2]), np.array([3, 4])], "integers"),
    ],
)
def test_kinds_are_told_apart(values, kind):
    assert as_sequences("X", values)[1] == kind


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "X is empty; expected at least one sequence"),
        ("abc", r"X must hold strings.* got 'abc' \(str\). For a single one pass .*X"),
        (None, "X must hold strings, token lists or rows of integers; got None"),
        (3, "X must hold"),
        (["a", None], r"X\[1\] is None"),
        (["a", NAN], r"X\[1\] is nan"),
        (["a", 3], r"X\[1\] is 3 \(int\)"),
        (["a", ["b"]], r"X\[0\] is 'a' \(str\) and X\[1\] is \['b'\] \(list\)"),
        ([["a"], "b"], r"X\[0\] is \['a'\] \(list\) and X\[1\] is 'b'"),
        ([["a"], [1]], r"one kind of sequence"),
        ([["a", None]], r"X\[0\] holds None"),
        ([["a", 1]], r"X\[0\] holds 1 \(int\)"),
        ([[1, NAN]], r"X\[0\] holds nan"),
        ([[1, True]], r"X\[0\] holds True"),
        (np.ones((2, 3)), r"X\[0\] holds .*1.0"),
        ([["a", ["b"]]], r"X\[0\] holds \['b'\]"),
        ([b"ab"], r"X\[0\] is b'ab' \(bytes\)"),
        ([{"a": 1}], r"X\[0\] is .* \(dict\)"),
        (np.array(3), "X must hold"),
        ({"a", "b"}, "X must hold"),
        ({"a": 1}, "X must hold"),
        (Table(), r"a table. Pass one of its columns: X\[column\]"),
    ],
)
def test_other_data_is_refused_with_its_place(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        as_sequences("X", values)


@pytest.mark.parametrize(
    "values",
    [["ab", "", "ba"], [["x", "y"], [], ["y"]], [[5, 6], [7]]],
    ids=["text", "tokens", "ragged integers"],
)
def test_answers_come_back_in_the_kind_that_was_learned(values):
    codec, ids = SequenceCodec.learn("y", values, tokenizer="char")
    assert codec.decode(ids) == values


def test_rows_of_integers_come_back_as_an_array():
    rows = np.array([[5, 0, 5], [7, 7, 1]])
    codec, ids = SequenceCodec.learn("y", rows, tokenizer="char")
    np.testing.assert_array_equal(codec.decode(ids), rows)
    assert codec.width == 3


def test_text_and_token_lists_are_not_mixed_up_after_learning():
    codec, _ = SequenceCodec.learn("X", ["ab"], tokenizer="char")
    with pytest.raises(TypeError, match=r"X held strings when .* got token lists"):
        codec.encode([["a"]])


def test_an_unknown_token_raises_with_its_place_when_asked():
    codec, _ = SequenceCodec.learn("X", ["ab"], tokenizer="char", unknown="error")
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'z' at position 2"):
        codec.encode(["a", "abz"])


def test_strings_and_integers_are_not_mixed_up_after_learning():
    codec, _ = SequenceCodec.learn("X", [[1, 2], [3]], tokenizer="char")
    with pytest.raises(TypeError, match=r"X held tokens of type int .* X\[1\] is \['a"):
        codec.encode([[], ["a"]])


def test_reversed_ids_are_those_of_the_tokens_from_their_end():
    plain, ids = SequenceCodec.learn("X", ["aab", ""], tokenizer="char")
    codec, reversed_ids = SequenceCodec.learn(
        "X", ["aab", ""], tokenizer="char", reverse=True
    )
    assert ids.tolist() == [[4, 4, 5], []] and reversed_ids.tolist() == [[5, 4, 4], []]
    assert codec.tokens(["ba"]) == plain.tokens(["ba"]) == [["b", "a"]]
    again = SequenceCodec.from_json("X", codec.to_json())
    assert again.encode(["ba"]).tolist() == codec.encode(["ba"]).tolist() == [[4, 5]]


def test_with_a_given_vocabulary_every_token_must_be_in_it():
    codec, ids = SequenceCodec.learn("X", ["ba"], tokenizer="char", vocabulary="abc")
    assert ids.tolist() == [[5, 4]] and codec.vocabulary.tokens == ["a", "b", "c"]
    assert codec.encode(["az"]).tolist() == [[4, 1]]  # at predict as ever
    with pytest.raises(ValueError, match=r"X\[1\]: the token 'z' at position 1 is not"):
        SequenceCodec.learn("X", ["a", "az"], tokenizer="char", vocabulary="abc")


def test_later_sequences_are_as_the_first():
    codec, _ = SequenceCodec.learn("X", [[1, 2]], tokenizer="char")
    assert codec.encode_known([[2, 1]]).tolist() == [[5, 4]]
    with pytest.raises(
        ValueError, match=r"were 2 wide at first; X\[1\] has 3 integers"
    ):
        codec.encode_known([[2, 1], [1, 1, 1]])
    with pytest.raises(ValueError, match=r"X\[0\]: the token 9 at position 1"):
        codec.encode_known([[1, 9]])


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("ab", ["a", "b"]),
        (["ab", "c"], ["ab", "c"]),
        (range(2, 4), [2, 3]),
        (np.array([3, 1]), [3, 1]),
        (Vocabulary(["a"]), ["a"]),
    ],
    ids=str,
)
def test_a_vocabulary_is_made_of_what_has_an_order(given, tokens):
    assert as_vocabulary("X", given).tokens == tokens


@pytest.mark.parametrize(
    "given", [None, 3, "", [], {"a"}, {"a": 1}, [1, "a"], [1.5], [["a"]], [None]]
)
def test_what_is_no_vocabulary_is_refused(given):
    with pytest.raises(
        TypeError, match="the vocabulary of X must be a list of strings"
    ):
        as_vocabulary("X", given)
