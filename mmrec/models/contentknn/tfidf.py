"""Words of items in, their TF-IDF vectors of unit length out.

Shapes: N items incl. padding, V words that are kept.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from mmrec.features.word_table import WordTable


def tfidf_vectors(
    table: WordTable, *, sublinear_tf: bool, smooth_idf: bool, min_df: int, max_df: float
) -> sparse.csr_array:
    """Unit vectors [N, V], as scikit-learn's `TfidfVectorizer` gives of the same counts.

    A word weighs tf x (log((n + s) / (df + s)) + 1), where n is the number of items and s is 1 if
    `smooth_idf`, else 0. An item without a word that is kept has zeros.

    Args:
        table: words of every item.
        sublinear_tf: tf is 1 + log of how often an item has a word.
        smooth_idf: see above.
        min_df: items that must have a word.
        max_df: share of the items that may have it.

    Raises:
        ValueError: no word is kept.
    """
    num_items = table.num_items - 1
    words, times = table.words.numpy(), table.times.numpy().astype(np.float64)
    items = np.repeat(np.arange(table.num_items), table.counts.numpy())
    df = np.bincount(words, minlength=table.num_words)
    kept = (df >= min_df) & (df <= max_df * num_items)
    if not kept.any():
        raise ValueError(
            f"none of the {table.num_words:,} words of the items is in at least {min_df:,} and at "
            f"most {max_df:.0%} of {num_items:,} items (min_df, max_df); keep more of them, or "
            "give the items text (clean.text_fields of the dataset)"
        )
    smoothing = int(smooth_idf)
    idf = np.log((num_items + smoothing) / (df[kept] + smoothing)) + 1
    number = np.cumsum(kept) - 1  # of a word among those that are kept
    of_kept = kept[words]
    items, columns, times = items[of_kept], number[words[of_kept]], times[of_kept]
    weights = (1 + np.log(times) if sublinear_tf else times) * idf[columns]
    norms = np.sqrt(np.bincount(items, weights**2, minlength=table.num_items))
    shape = (table.num_items, int(kept.sum()))
    return sparse.coo_array((weights / norms[items], (items, columns)), shape=shape).tocsr()
