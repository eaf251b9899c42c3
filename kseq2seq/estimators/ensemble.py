"""Several estimators of one task that answer together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from numbers import Integral
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from kseq2seq import _tensorflow, persistence
from kseq2seq.answering import Answerer, AnsweringMixin, AnswerSettings
from kseq2seq.arguments import check_whole, shown
from kseq2seq.declarations import names
from kseq2seq.descriptions import FEWEST_MEMBERS, MOST_MEMBERS
from kseq2seq.estimators.ensemble_file import ensemble_artifact, read_members
from kseq2seq.estimators.ensemble_members import (
    Members,
    check_joinable,
    joint_answerer,
    new_members,
    train_members,
)
from kseq2seq.estimators.examples import FitData, check_validation_data
from kseq2seq.estimators.exporting import export_model
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.estimators.seq2seq_models import exported_answers
from kseq2seq.estimators.stored import Reader, read_estimator, read_stored
from kseq2seq.estimators.token_estimator import tags_of_sequences
from kseq2seq.estimators.weights import check_finite
from kseq2seq.persistence import Artifact, StoredArtifact
from kseq2seq.vocabulary import Vocabulary


class Seq2SeqEnsemble(AnsweringMixin, BaseEstimator):
    """Several estimators of one task, whose probabilities are averaged at every step.

    Each member is the same estimator with other random numbers: it starts from weights
    of its own, and holds back a part of its own. All share one vocabulary. The search
    is that of `estimator` (``beam_size`` ...), and continues with the average
    (Sutskever et al., 2014, arXiv:1409.3215, section 3.6). It may be changed after
    `fit`: ``set_params(estimator__beam_size=3)``.

    Parameters
    ----------
    estimator : Seq2SeqEstimator
        What is trained again and again; it stays as it is, fitted or not.
    n_estimators : int, default 5
        How many members are trained, 2 to 100.
    n_jobs : int, optional
        In how many processes; -1 for one a core. Members are the same, to the bit, as
        those that are trained one after the other. Of one GPU each process would want
        all the memory.
    random_state : int, optional
        Draws the `random_state` of each member, in place of the estimator's, and seeds
        what is drawn with a `temperature`.

    Attributes
    ----------
    estimators_ : list of Seq2SeqEstimator
        The members, each with its ``history_``. They can be asked on their own.
    source_vocabulary_, target_vocabulary_ : Vocabulary
    generator_ : keras.Model
    max_length_ : int
        How many ids an answer has at most, END included: the most of any member.
    calibration_temperature_ : float
        The geometric mean of the members' temperatures.
    interrupted_ : bool
        Whether an interrupt (Ctrl-C) ended the last `fit`.

    Examples
    --------
    >>> from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator
    >>> X, y = ["ab", "ba", "aab", "bba"] * 8, ["ba", "ab", "baa", "abb"] * 8
    >>> estimator = Seq2SeqEstimator(
    ...     units=32, learning_rate=0.01, epochs=40, validation_fraction=0,
    ...     batch_size=8,
    ... )
    >>> ensemble = Seq2SeqEnsemble(estimator, n_estimators=2, random_state=0)
    >>> ensemble.fit(X, y).predict(["ab", "bba"])
    ['ba', 'abb']
    """

    estimators_: Members
    interrupted_: bool
    _answerer: Answerer

    def __init__(
        self,
        estimator: Seq2SeqEstimator,
        n_estimators: int = 5,
        *,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs
        self.random_state = random_state

    @classmethod
    def from_fitted(
        cls, members: Sequence[Seq2SeqEstimator | Seq2SeqEnsemble | str | Path]
    ) -> Self:
        """Return the ensemble of estimators that are fitted already.

        They may differ in all but the ids that they read and write: vocabularies,
        tokenizers and how texts are prepared. `estimator`, with its search, is the
        first's, unfitted. The members stay as they are, and share their weights with
        the ensemble.

        Parameters
        ----------
        members : sequence of Seq2SeqEstimator or of paths
            Two or more, at most 100; a path is that of a model file. In place of an
            ensemble stand its members.

        Returns
        -------
        Seq2SeqEnsemble

        Raises
        ------
        ValueError, TypeError
            When there is one alone, or one is not fitted, or two do not go together.
        OSError
            When a file cannot be read.

        Examples
        --------
        >>> from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator
        >>> X, y = ["ab", "ba"] * 8, ["AB", "BA"] * 8
        >>> members = [
        ...     Seq2SeqEstimator(cell=cell, units=4, epochs=1).fit(X, y)
        ...     for cell in ("lstm", "gru")
        ... ]
        >>> len(Seq2SeqEnsemble.from_fitted(members).predict(["ab"]))
        1
        """
        if not isinstance(members, Sequence) or isinstance(members, str):
            raise TypeError(
                "members must be a list of fitted estimators, or of paths of their "
                f"files; got {shown(members)}."
            )
        joined: list[Any] = []
        called: list[str] = []
        for i, one in enumerate(members):
            name = f"members[{i}]"
            if isinstance(one, str | Path):
                name, one = str(one), read_stored(one, MEMBER_READERS)
            if isinstance(one, cls):
                one._fitted_answerer()
            inner = one.estimators_ if isinstance(one, cls) else [one]
            joined += inner
            called += [name] * len(inner)
        check_joinable(joined, called)
        check_whole(
            "the number of members",
            len(joined),
            minimum=FEWEST_MEMBERS,
            maximum=MOST_MEMBERS,
        )
        ensemble = cls(clone(joined[0]), len(joined))
        return ensemble._adopt(joined)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: Sequence[Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train every member anew on pairs.

        An interrupt (Ctrl-C) leaves, with a warning, the ensemble of those members that
        are done, if they are two or more; fewer are too few, and ``KeyboardInterrupt``
        is raised. The member under way goes on from its checkpoint, if there is one,
        when `fit` is called again.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
            No stream: each member reads them again.
        sample_weight : sequence of float ``(n_pairs,)``, optional
            As for :meth:`Seq2SeqEstimator.fit`.
        validation_data : (X, y) or (X, y, sample_weight), optional
            What to validate all members on; each holds back a part of its own when
            None.
        checkpoint : str or path, optional
            Each member writes a checkpoint of its own, and resumes from it: for
            ``"model.kseq2seq"`` the files ``"model.1.kseq2seq"`` and so on. See
            :meth:`Seq2SeqEstimator.fit`.

        Returns
        -------
        Seq2SeqEnsemble
            This ensemble.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described.
        OSError
            When a checkpoint cannot be written, or another training has it.
        FloatingPointError
            When the training of a member diverges.
        KeyboardInterrupt
            When it is interrupted before two members are done.
        """
        number = self._checked_number()
        self._check_template()
        _check_jobs(self.n_jobs)
        if self.estimator.warm_start:
            raise ValueError(
                "an ensemble trains its members anew, and the estimator has "
                "warm_start=True. set_params(estimator__warm_start=False)."
            )
        if y is None:
            raise TypeError(
                "y is missing: each member of an ensemble reads the pairs again, so "
                "pass X and y, lists or arrays, in place of a stream."
            )
        validation = check_validation_data(validation_data)
        members = train_members(
            new_members(self.estimator, number, self.random_state),
            FitData(X, y, sample_weight, validation_data=validation),
            checkpoint=checkpoint,
            n_jobs=self.n_jobs,
        )
        return self._adopt(members, interrupted=len(members) < number)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the fitted ensemble to one file; :func:`kseq2seq.load` reads it.

        It holds what :meth:`Seq2SeqEstimator.save` keeps of each member, and their
        vocabularies once.

        Parameters
        ----------
        path : str or path
            By custom ``.kseq2seq``.
        overwrite : bool, default False
            Whether a file that exists is replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError, TypeError, ValueError, FloatingPointError
            As :meth:`Seq2SeqEstimator.save`.
        """
        answerer = self._fitted_answerer()
        number = self._checked_number()
        self.estimator._check()
        _ = self.generator_  # or a bad parameter would be kept
        check_finite(answerer.models.training)
        artifact = ensemble_artifact(self.estimator, self.estimators_, answerer)
        seed = self.random_state
        about = {
            "estimator": type(self).__name__,
            "ensemble": {
                "n_estimators": number,
                "random_state": int(seed) if isinstance(seed, Integral) else None,
            },
        }
        artifact = Artifact({**about, **artifact.description}, artifact.arrays)
        return persistence.write_artifact(path, artifact, overwrite=overwrite)

    def export(
        self,
        path: str | Path,
        format: str = "savedmodel",
        *,
        max_source_length: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the members and their search as one model, for another runtime.

        Parameters, files, inputs and outputs are those of
        :meth:`Seq2SeqEstimator.export`.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, OSError, FloatingPointError, ImportError, RuntimeError
            As :meth:`Seq2SeqEstimator.export`.
        """
        check_finite(self._fitted_answerer().models.training)
        return export_model(
            lambda: exported_answers(
                self, joint_answerer([member._twin() for member in self.estimators_])
            ),
            path,
            format=format,
            max_source_length=max_source_length,
            overwrite=overwrite,
        )

    def _adopt(self, members: Members, *, interrupted: bool = False) -> Self:
        """Make these the members."""
        self._answerer = joint_answerer(members)
        self.estimators_, self.interrupted_ = members, interrupted
        return self

    def _fitted_answerer(self) -> Answerer:
        if not hasattr(self, "_answerer"):
            _tensorflow.check_can_run()  # a copy may have been left without models
            raise NotFittedError(
                "this Seq2SeqEnsemble is not fitted yet. Call fit(X, y), join fitted "
                "estimators with from_fitted, or load an ensemble with "
                "kseq2seq.load(path)."
            )
        self._check_template()  # whose search it is
        return self._answerer

    def _checked_number(self) -> int:
        return check_whole(
            "n_estimators",
            self.n_estimators,
            minimum=FEWEST_MEMBERS,
            maximum=MOST_MEMBERS,
        )

    def _check_template(self) -> None:
        if not isinstance(self.estimator, Seq2SeqEstimator):
            raise TypeError(
                "estimator must be a Seq2SeqEstimator, such as Seq2SeqEstimator("
                f"units=128); got {shown(self.estimator)}."
            )

    @property
    def source_vocabulary_(self) -> Vocabulary:
        """The tokens of the sources."""
        return self._fitted_answerer().source.vocabulary

    @property
    def target_vocabulary_(self) -> Vocabulary:
        """The tokens of the answers."""
        return self._fitted_answerer().target.vocabulary

    @property
    def max_length_(self) -> int:
        """How many ids an answer has at most, END included."""
        return self._fitted_answerer().max_length

    @property
    def calibration_temperature_(self) -> float:
        """At which answers have their probabilities: the members' geometric mean."""
        return self._fitted_answerer().calibration_temperature

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what is made of members, for pickle and copies."""
        state = dict(super().__getstate__())
        state.pop("_answerer", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "estimators_" in state and not _tensorflow.was_forked_late():
            self._answerer = joint_answerer(self.estimators_)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that X are texts, or other sequences, and not features."""
        return tags_of_sequences(super().__sklearn_tags__())


def _check_jobs(n_jobs: Any) -> None:
    if n_jobs is None or check_whole("n_jobs", n_jobs, minimum=-1):
        return
    raise ValueError(
        "n_jobs must be None, a number of processes, or -1 for one a core; got 0."
    )


def _of_estimator(name: str) -> property:
    """Return a property that reads a setting of the search from the estimator."""
    doc = f"That of `estimator`; ``set_params(estimator__{name}=...)`` changes it."
    return property(attrgetter(f"estimator.{name}"), doc=doc)


for _name in names(AnswerSettings):
    if _name != "random_state":
        setattr(Seq2SeqEnsemble, _name, _of_estimator(_name))


def read_ensemble(artifact: StoredArtifact) -> Seq2SeqEnsemble:
    """Return the fitted ensemble that a model file holds."""
    template, members = read_members(artifact)
    return Seq2SeqEnsemble(template, **artifact.description["ensemble"])._adopt(members)


MEMBER_READERS: dict[str, Reader] = {
    "Seq2SeqEstimator": partial(read_estimator, Seq2SeqEstimator),
    "Seq2SeqEnsemble": read_ensemble,
}
"""What reads a file of members."""
