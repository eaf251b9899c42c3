import numpy as np
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
