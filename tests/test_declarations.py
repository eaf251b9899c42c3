"""Parameters are declared once, and everything that names them reads that."""

import inspect
import pydoc

import pytest

import kseq2seq
from kseq2seq import Seq2SeqEstimator, SequenceClassifier
from kseq2seq.arguments import check_whole
from kseq2seq.cli.config import NOT_IN_CONFIGS
from kseq2seq.declarations import (
    about,
    checked,
    documented,
    names,
    setting,
    settings,
    taken,
)

DOCUMENTED = [
    Seq2SeqEstimator,
    SequenceClassifier,
    kseq2seq.build_seq2seq,
    kseq2seq.build_attention_seq2seq,
    kseq2seq.build_sequence_classifier,
    kseq2seq.build_generator,
]


@settings
class Size:
    """How large something is."""

    width: int = setting("int", "How wide.", check_whole, default=3)
    height: int | None = setting("int", "How high.", check_whole, default=None)


@settings
class Wide(Size):
    """The same, wider."""

    width: int = 8


class Box(Wide):
    """A box, which is no group itself."""

    volume_: int


def test_a_group_is_made_of_keywords_and_takes_no_others():
    assert vars(Size(height=2)) == {"width": 3, "height": 2}
    with pytest.raises(TypeError, match=r"by name, as in Size\(width=...\); got 2"):
        Size(2)
    with pytest.raises(TypeError, match="depth"):
        Size(depth=2)
    with pytest.raises(TypeError, match=r"Wide has no parameter 'hight'.*'height'"):
        Wide(hight=2)


def test_attributes_of_a_class_that_is_no_group_are_not_taken_for_defaults():
    class Tall(Wide):
        height = 9

    with pytest.raises(TypeError, match=r"Tall.height is no default.*\*\*others"):
        Tall()


def test_another_default_keeps_the_rest_of_a_declaration():
    assert Wide().width == 8
    assert about(Wide)["width"] == about(Size)["width"]


def test_what_is_annotated_in_a_class_that_is_no_group_is_no_parameter():
    assert list(inspect.signature(Box).parameters) == ["width", "height"]


def test_a_group_is_taken_from_whatever_has_its_parameters():
    box = Box(width=5)
    small = taken(Size, box, height=1)
    assert type(small) is Size and vars(small) == {"width": 5, "height": 1}
    assert vars(box) == {"width": 5, "height": None}


def test_values_are_checked_as_declared_and_none_where_it_is_allowed():
    assert checked(Size(width=2)) == {"width": 2, "height": None}
    with pytest.raises(ValueError, match="width must be a whole number"):
        checked(Size(width=0))
    with pytest.raises(TypeError, match="width must be"):
        checked(Size(width=None))
    assert checked(Size(width=0, height=2), "height") == {"height": 2}


def test_entries_say_kind_default_and_what_a_parameter_does():
    @documented()
    @settings
    class Cube(Size):
        """A cube.

        Parameters
        ----------
        {parameters}

        Attributes
        ----------
        volume_ : int
        """

        depth: float = setting("float", "How deep; `width` too.", default=2.0)

    assert Cube.__doc__.splitlines()[2:11] == [
        "Parameters",
        "----------",
        "width : int, default 3",
        "    How wide.",
        "height : int, optional",
        "    How high.",
        "depth : float, default 2",
        "    How deep; `width` too.",
        "",
    ]


@pytest.mark.parametrize("owner", DOCUMENTED, ids=lambda owner: owner.__name__)
def test_help_shows_every_parameter_whole(owner):
    shown = pydoc.plain(pydoc.render_doc(owner))
    assert "{parameters}" not in shown
    section = shown.split("----------\n")[1]
    heads = [
        line.strip(" |").split(" : ")[0].split(", ")
        for line in section.splitlines()
        if " : " in line
    ]
    named = {name for head in heads for name in head}
    assert set(inspect.signature(owner).parameters) - {"models", "max_length"} <= named


@pytest.mark.parametrize("estimator", [Seq2SeqEstimator, SequenceClassifier])
def test_scikit_learn_reads_the_declared_parameters(estimator):
    assert set(estimator().get_params()) == set(about(estimator))


def test_what_is_no_option_stands_in_no_config():
    assert set(names(Seq2SeqEstimator, from_files=False)) == set(NOT_IN_CONFIGS)


def test_training_does_not_depend_on_the_search_and_on_calibrating():
    free = names(Seq2SeqEstimator, of_training=False)
    assert set(free) == {
        *("beam_size", "length_penalty", "coverage_penalty", "min_length"),
        *("no_repeat_ngram_size", "temperature", "top_k", "top_p"),
        *("forced_prefix", "forbidden_tokens", "replace_unknown", "verbose"),
        "calibrate",
    }
