import numpy as np
import pytest

from kseq2seq.sequences import SequenceCodec, as_sequences

NAN = float("nan")


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
