from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import make_models

from kseq2seq import build_generator
from kseq2seq.answering import source_batches
from kseq2seq.answering.source_batches import generate, generate_seeded
from kseq2seq.vocabulary import END

MAX_LENGTH = 7


@pytest.fixture(scope="module")
def generator():
    return build_generator(make_models(seed=5), MAX_LENGTH)


@pytest.fixture
def sources():
    """Twenty sources of 0 to 9 ids, the first three of one width."""
    random = np.random.default_rng(0)
    lengths = [3, 3, 3, *random.integers(0, 10, 17)]
    return [random.integers(4, 12, length).tolist() for length in lengths]


def assert_same(one, other):
    assert one.keys() == other.keys()
    np.testing.assert_array_equal(one["ids"], other["ids"])
    for name in ("scores", "attention_weights"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5)


@settings(max_examples=15)
@given(st.lists(st.lists(st.integers(4, 11), max_size=6), min_size=1, max_size=9))
def test_answers_depend_on_no_padding_and_no_batch_mate(generator, sources):
    together = generate(generator, sources, batch_size=4)
    for row, source in enumerate(sources):
        alone = generate(generator, [source])
        width = len(source) + 1
        row = {name: array[row : row + 1] for name, array in together.items()}
        assert not row["attention_weights"][..., width:].any()
        row["attention_weights"] = row["attention_weights"][..., :width]
        assert_same(row, alone)


def test_a_generator_that_has_answered_still_predicts_as_a_keras_model(sources):
    generator = build_generator(make_models(seed=5), MAX_LENGTH)
    answers = generate(generator, sources[:3])
    source_ids = np.pad(sources[:3], ((0, 0), (0, 1)), constant_values=END)
    assert_same(answers, generator.predict(source_ids, verbose=0))


@contextmanager
def shapes_of_batches(generator):
    """Collect the shapes that the generator is called with."""
    shapes = set()
    predict = generator.predict_on_batch

    def watched(source_ids):
        shapes.add(source_ids.shape)
        return predict(source_ids)

    generator.predict_on_batch = watched
    try:
        yield shapes
    finally:
        del generator.predict_on_batch


def test_a_compiled_search_answers_as_a_plain_one_in_few_shapes(generator, sources):
    plain = generate(generator, sources, batch_size=8, compiles=False)
    with shapes_of_batches(generator) as shapes:
        compiled = generate(generator, sources, batch_size=8, compiles=True)
    assert_same(plain, compiled)
    assert shapes == {(8, 8), (8, 16)}


@pytest.mark.backends("tensorflow")
def test_many_sources_are_compiled_for_and_few_are_not(generator, sources, monkeypatch):
    monkeypatch.setattr(source_batches, "SOURCES_WORTH_COMPILING", 20)
    for num_sources, compiles in ((19, False), (20, True)):
        generate(generator, sources[:num_sources])
        assert generator.jit_compile is compiles


@pytest.mark.backends("tensorflow")
def test_nothing_is_traced_again_as_lengths_and_batches_vary(sources):
    models = make_models(seed=1)
    traces = []
    decoder = models.decoder.call

    def counting(*arguments, **more):
        traces.append(1)
        return decoder(*arguments, **more)

    generator = build_generator(models, MAX_LENGTH)
    generate(generator, sources[:1]), generate(generator, sources[:2])
    models.decoder.call = counting
    for size in (1, 2, 3, 5):
        generate(generator, sources[::-1], batch_size=size)
    for source in sources:
        generate(generator, [source])
    assert not traces


@pytest.mark.backends("jax")
def test_few_shapes_are_compiled(generator, sources):
    with shapes_of_batches(generator) as shapes:
        for number in range(1, len(sources) + 1):
            generate(generator, sources[:number], batch_size=12)
    assert shapes <= {(rows, width) for rows in (1, 2, 4, 8, 12) for width in (8, 16)}


@pytest.mark.backends("tensorflow")
def test_a_single_source_is_compiled_for_in_the_background(
    generator, sources, monkeypatch
):
    monkeypatch.setattr(source_batches, "CALLS_WORTH_COMPILING", 3)
    one_by_one = source_batches.OneByOne(generator)
    source_ids = source_batches.RaggedIds.of(sources[:1]).padded(width=8, closed=True)
    answers = [one_by_one(source_ids) for _ in range(3)]
    (thread,) = one_by_one.threads
    thread.join()
    answers.append(one_by_one(source_ids))
    assert one_by_one._ready == {8} and one_by_one.threads == [thread]
    for answer in answers:
        assert_same(answer, answers[0])


@pytest.mark.backends("tensorflow")
def test_a_search_that_draws_is_not_compiled_as_its_seed_would_draw_others(
    sources, monkeypatch
):
    monkeypatch.setattr(source_batches, "CALLS_WORTH_COMPILING", 2)
    drawing = build_generator(make_models(seed=5), MAX_LENGTH, temperature=1.0, seed=0)
    answers = [
        generate_seeded(drawing, sources[:1], restarts=True)["ids"] for _ in range(5)
    ]
    assert not drawing.answer_one.threads
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])


@pytest.mark.backends("tensorflow")
def test_no_more_than_some_widths_are_compiled_for(generator, sources, monkeypatch):
    monkeypatch.setattr(source_batches, "CALLS_WORTH_COMPILING", 2)
    monkeypatch.setattr(source_batches, "MOST_WIDTHS", 1)
    one_by_one = source_batches.OneByOne(generator)
    source = source_batches.RaggedIds.of(sources[:1])
    for width in (8, 16, 24):
        for _ in range(3):
            one_by_one(source.padded(width=width, closed=True))
    (thread,) = one_by_one.threads
    thread.join()
    assert one_by_one._ready == {8}


def test_n_best_answers_are_joined_too(sources):
    generator = build_generator(make_models(seed=5), MAX_LENGTH, beam_size=3, n_best=2)
    answers = generate(generator, sources, batch_size=6)
    widest = max(map(len, sources)) + 1
    assert answers["ids"].shape == (20, 2, MAX_LENGTH)
    assert answers["scores"].shape == (20, 2)
    assert answers["attention_weights"].shape == (20, 2, MAX_LENGTH, widest)
    alone = generate(generator, sources[-1:])
    np.testing.assert_array_equal(alone["ids"][0], answers["ids"][-1])


def test_long_runs_show_progress_if_asked(generator, sources, capsys, monkeypatch):
    generate(generator, sources, batch_size=4, verbose=True)
    assert not capsys.readouterr().out
    monkeypatch.setattr(source_batches, "LONG_RUN", 5)
    generate(generator, sources, batch_size=4)
    assert not capsys.readouterr().out
    generate(generator, sources, batch_size=4, verbose=True)
    assert "20/20" in capsys.readouterr().out


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "many", 10**13])
def test_other_batch_sizes_are_refused(generator, batch_size):
    with pytest.raises((ValueError, TypeError), match="batch_size must be"):
        generate(generator, [[4]], batch_size=batch_size)
