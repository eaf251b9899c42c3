import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import id_lists

from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import END, PAD


@given(st.lists(id_lists))
def test_sequences_are_kept_as_they_were(sequences):
    ragged = RaggedIds.of(sequences)
    assert ragged.tolist() == sequences
    assert [row.tolist() for row in ragged] == sequences
    assert ragged.backwards().tolist() == [ids[::-1] for ids in sequences]
    assert ragged[1:].tolist() == sequences[1:]
    assert RaggedIds.of(ragged) is ragged


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[4], None], r"sequence 1 is None"),
        ([[1.5]], r"whole numbers below 2\*\*31; sequence 0 is \[1.5\] \(list\)"),
        (["ab"], "sequence 0 is 'ab'"),
        ([[2**31]], "sequence 0 is"),
        ([4], r"sequence 0 is 4 \(int\)"),
        ([[4], [-1]], "ids must be at least 0; got -1"),
    ],
)
def test_what_are_no_ids_is_refused(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        RaggedIds.of(wrong)


@given(st.lists(id_lists, min_size=1), st.data())
def test_rows_are_taken_in_any_order_and_more_than_once(sequences, data):
    rows = data.draw(st.lists(st.integers(0, len(sequences) - 1)))
    taken = RaggedIds.of(sequences).take(np.array(rows, dtype=int))
    assert taken.tolist() == [sequences[row] for row in rows]


@given(st.lists(id_lists, min_size=1), st.booleans(), st.integers(0, 3))
def test_padding_stands_on_the_right_behind_the_end(sequences, closed, wider):
    rows = np.arange(len(sequences))[::-1]
    width = max(map(len, sequences)) + closed + wider
    padded = RaggedIds.of(sequences).padded(rows, width, closed=closed)
    assert padded.dtype == np.int32 and padded.shape == (len(rows), width)
    for row, ids in zip(padded.tolist(), reversed(sequences), strict=True):
        end = [END] if closed else []
        assert row == ids + end + [PAD] * (width - len(ids) - closed)
