"""What the estimators share whose sources are sequences of tokens."""

from __future__ import annotations

from sklearn.utils import Tags

from kseq2seq.codec import SequenceCodec
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.estimators.codecs import check_source_embedding
from kseq2seq.estimators.examples import Task
from kseq2seq.estimators.settings import SourceSettings
from kseq2seq.training import ClassTrainingSettings, TrainingSettings


class TokenEstimator(SequenceEstimator, ClassTrainingSettings, SourceSettings):
    """An estimator of sequences of tokens, which become ids by a vocabulary.

    A subclass has a group of settings as its first base; see
    :class:`kseq2seq.estimators.base.SequenceEstimator`.
    """

    _source: SequenceCodec

    def _check_task(self, task: Task, settings: TrainingSettings) -> None:
        self.check_tol(task.target.num_ids)
        check_source_embedding(self._model_settings(), task.source)

    def _grows_for(self, task: Task) -> bool:
        sides = (self._source, task.source), (self._target, task.target)
        return any(then.num_ids != now.num_ids for then, now in sides)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that X are texts, or other sequences, and not features."""
        return tags_of_sequences(super().__sklearn_tags__())


def tags_of_sequences(tags: Tags) -> Tags:
    """Return the tags of an estimator whose X and y are sequences of tokens."""
    tags.input_tags.string = True
    tags.input_tags.two_d_array = False
    tags.target_tags.required = True
    return tags
