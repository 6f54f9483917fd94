"""The one classifier of texts: logistic regression on character 1-4-grams, and how it is cross-validated.

Knows nothing of who wrote what, nor of masking.

TF-IDF with 1 + log(count), rows of length one, n-grams that occur in two texts or more, L2 with C = 3, classes weighted
equally: chosen once, on the owner's own replies against the partners' of the development corpus, where anything between
C = 0.3 and 10 gave the same AUCs within 0.02.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fidelity.bootstrap import Floats
from training.fidelity.masking import Mask
from training.fidelity.material import Bubbles

_C = 3.0
_SIZES = (1, 4)
_LEAST_TEXTS = 2
FOLDS = 5

Ints = NDArray[np.int64]


def text_of(bubbles: Bubbles, mask: Mask) -> str:
    """A reply as the classifier reads it: masked bubbles joined by a newline, with one before and after.

    Line breaks within a bubble are told apart from those between bubbles, and no white space is run together.
    """
    lines = "␤".join(mask(text).replace("\n", "↵").replace(" ", "␣") for text in bubbles)
    return f"␤{lines}␤"


def vectors(texts: Sequence[str]) -> tuple[Any, Any]:
    """The fitted vectoriser, and the texts as a sparse matrix of (texts, n-grams)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(
        analyzer="char", ngram_range=_SIZES, lowercase=False, sublinear_tf=True, min_df=_LEAST_TEXTS
    )
    return vectoriser, vectoriser.fit_transform(texts)


def counted(texts: Sequence[str]) -> Any:
    """How often each n-gram stands in each text: a sparse matrix, of which `weighted` can make many parts."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(analyzer="char", ngram_range=_SIZES, lowercase=False, dtype=np.float64).fit_transform(texts)


def weighted(counts: Any) -> Any:
    """The same rows as `vectors` would make of these texts alone."""
    from sklearn.feature_extraction.text import TfidfTransformer

    kept = counts.getnnz(axis=0) >= _LEAST_TEXTS
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, kept])


def fitted(rows: Any, labels: Ints) -> Any:
    """A logistic regression on these rows; its `decision_function` is the log odds of label 1."""
    from sklearn import config_context
    from sklearn.linear_model import LogisticRegression

    with config_context(assume_finite=True, skip_parameter_validation=True):  # small fits are many
        return LogisticRegression(C=_C, solver="liblinear", class_weight="balanced", random_state=0).fit(rows, labels)


def out_of_fold(rows: Any, labels: Ints, folds: Ints) -> Floats:
    """Each row's score from the classifier that was fitted on the other folds; 0 where that had but one class."""
    scores = np.zeros(len(labels))
    for fold in np.unique(folds):
        inside = folds == fold
        if len(np.unique(labels[~inside])) == 2:
            model = fitted(rows[~inside], labels[~inside])
            scores[inside] = rows[inside] @ model.coef_[0] + model.intercept_[0]
    return scores


def folds_of(groups: Ints, labels: Ints, seed: int) -> Ints:
    """A fold for each row: those of a group in one, both labels spread over the folds as evenly as that allows.

    The largest group first, equal ones in any order, each goes where the shares of the labels stay lowest.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    sizes = np.stack([np.bincount(group_of, weights=labels == label) for label in (0, 1)], axis=1)
    shares = sizes / np.maximum(sizes.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(shares))
    order = order[np.argsort(-shares[order].sum(axis=1), kind="stable")]
    filled = np.zeros((FOLDS, 2))
    fold_of_group = np.zeros(len(shares), dtype=np.int64)
    for group in order:
        fold = int(np.argmin(filled @ shares[group]))  # what the sum of squares grows by, but for a constant
        fold_of_group[group] = fold
        filled[fold] += shares[group]
    return np.asarray(fold_of_group[group_of], dtype=np.int64)


def groups_of(one: Sequence[int], other: Sequence[int]) -> tuple[Ints, Ints]:
    """Groups for the folds of two lists of replies, given their dialogs: a dialog's replies are in one group.

    A dialog that holds more than a third of either side, or any when there are fewer than five, is cut into stretches
    of time, so that something is left to learn from in each fold.

    Args:
        one, other: the dialog of each reply, in the order of time within a dialog.
    """
    sides = [np.asarray(side, dtype=np.int64) for side in (one, other)]
    groups = [np.zeros(len(side), dtype=np.int64) for side in sides]
    dialogs = np.unique(np.concatenate(sides))
    next_group = 0
    for dialog in dialogs:
        share = max(float(np.mean(side == dialog)) if len(side) else 0.0 for side in sides)
        pieces = int(np.ceil(share * FOLDS)) if share > 1 / 3 or len(dialogs) < FOLDS else 1
        for side, group in zip(sides, groups, strict=True):
            its = np.flatnonzero(side == dialog)
            group[its] = next_group + np.arange(len(its)) * pieces // max(1, len(its))
        next_group += pieces
    return groups[0], groups[1]
