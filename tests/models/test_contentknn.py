"""Neighbours by content, against loops over items and against scikit-learn."""

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from mmrec import schemas
from mmrec.data.words import bags_of_words, write_bags_of_words
from mmrec.features.empty import write_empty_feature
from mmrec.features.token_table import TokenTable
from mmrec.features.word_table import WordTable, load_word_table
from mmrec.io import DataError
from mmrec.models.contentknn.model import nearest_by_content
from mmrec.models.contentknn.tfidf import tfidf_vectors
from mmrec.models.data import Feature
from mmrec.params.models.contentknn import ContentKnnArchitecture
from mmrec.paths import Paths
from mmrec.recommender import VectorRecommender
from tests.models import worlds

TEXTS = [
    ["Red lamp, red shade.", "A lamp of 40 W"],
    ["Blue lamp"],
    [],
    ["red chair red red", "RED"],
    ["Стул из дерева", "chair"],
    ["!", "a b c"],  # words of one letter are none
    [],
    ["blue chair and red lamp"],
    ["straße é_1 x2"],
    ["Blue lamp"],
    ["blue blue lamp lamp"],
    ["a lamp for a chair for a lamp"],
]
HISTORIES = torch.tensor(
    [
        [1, 2, 4, 2, 8, 0],
        [5, 0, 0, 0, 0, 0],
        [3, 7, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [10, 11, 12, 1, 3, 4],
    ]
)
SWITCHES = {"sublinear_tf": False, "smooth_idf": True, "min_df": 1, "max_df": 1.0}


def items(count):
    return pa.table(
        {
            "item_id": [f"i{item:06}" for item in range(1, count + 1)],
            "item_index": pa.array(range(1, count + 1), pa.int32()),
        }
    )


def sentences(texts=TEXTS):
    rows = [
        (f"i{item:06}", place, text)
        for item, own in enumerate(texts, start=1)
        for place, text in enumerate(own)
    ]
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table([pa.array(column) for column in columns], names=schemas.SENTENCES.names).cast(
        schemas.SENTENCES
    )


def words_of(folder, texts=TEXTS):
    write_bags_of_words(bags_of_words(sentences(texts)), folder)
    return load_word_table(folder, items(len(texts)))


def build(content, world, **architecture):
    params = worlds.params("contentknn", architecture={"content": content, **architecture})
    return worlds.recommender(params, world=world)


@pytest.mark.parametrize("sublinear_tf", [True, False])
@pytest.mark.parametrize("smooth_idf", [True, False])
@pytest.mark.parametrize(("min_df", "max_df"), [(1, 1.0), (2, 1.0), (1, 0.4), (2, 0.3)])
def test_words_are_weighed_as_by_scikit_learn(tmp_path, sublinear_tf, smooth_idf, min_df, max_df):
    switches = {"sublinear_tf": sublinear_tf, "smooth_idf": smooth_idf}
    switches |= {"min_df": min_df, "max_df": max_df}
    vectorizer = TfidfVectorizer(**switches)
    expected = vectorizer.fit_transform([" ".join(texts) for texts in TEXTS]).toarray()
    found = tfidf_vectors(words_of(tmp_path), **switches).toarray()
    assert not found[0].any()
    np.testing.assert_allclose(found[1:], expected, rtol=1e-12)


def test_an_item_has_each_of_its_words_once_with_its_count():
    bags = bags_of_words(sentences()).to_pylist()
    assert [bag["item_id"] for bag in bags] == [
        f"i{item:06}" for item in (1, 2, 4, 5, 8, 9, 10, 11, 12)
    ]
    of_first = zip(bags[0]["words"], bags[0]["counts"], strict=True)
    assert [*of_first] == [("40", 1), ("lamp", 2), ("of", 1), ("red", 2), ("shade", 1)]
    assert bags[3]["words"] == ["chair", "дерева", "из", "стул"]
    assert bags[5]["words"] == ["straße", "x2", "é_1"]


def tfidf_cosines():
    """Of all items, padding first, by scikit-learn."""
    texts = [" ".join(texts) for texts in TEXTS]
    vectors = TfidfVectorizer().fit(texts).transform(["", *texts])
    return (vectors @ vectors.T).toarray()


def vector_cosines(*tables):
    """Sums over features of the cosine of mean vectors, item by item."""
    found = np.zeros((worlds.NUM_ITEMS, worlds.NUM_ITEMS))
    for table in tables:
        rows = [
            table.vectors[table.offsets[item] : table.offsets[item + 1]].double()
            for item in range(worlds.NUM_ITEMS)
        ]
        for i, j in product(range(worlds.NUM_ITEMS), repeat=2):
            if len(rows[i]) and len(rows[j]):
                one, other = rows[i].mean(dim=0), rows[j].mean(dim=0)
                found[i, j] += float(one @ other / (one.norm() * other.norm()))
    return found


def straightforward(cosines, has_content, history_length=10, decay=1.0, num_neighbours=None):
    """Scores of all items but padding, place by place of each history."""
    kept = np.zeros_like(cosines)
    for candidate in range(1, len(cosines)):
        order = [item for item in range(len(cosines)) if has_content[item]]
        order.sort(key=lambda item: (-np.float32(cosines[candidate, item]), item))
        for item in order[:num_neighbours]:
            kept[candidate, item] = cosines[candidate, item]
    found = np.zeros((len(HISTORIES), len(cosines)))
    for row, history in enumerate(HISTORIES.tolist()):
        read = [item for item in history if item]
        for steps_back, item in enumerate(reversed(read)):
            if steps_back < history_length:
                found[row] += decay**steps_back * kept[:, item]
    return torch.tensor(found[:, 1:]).float()


FORMS = [
    {},
    {"history_length": 2},
    {"decay": 0.5},
    {"num_neighbours": 3},
    {"num_neighbours": 1, "history_length": 4, "decay": 0.8},
    {"num_neighbours": 1000},
]


@pytest.mark.parametrize("form", FORMS)
def test_scores_by_words_are_sums_of_cosines(tmp_path, form):
    model = build({"name": "tfidf"}, worlds.data(words=words_of(tmp_path)), **form)
    assert not isinstance(model, VectorRecommender)
    cosines = tfidf_cosines()
    expected = straightforward(cosines, cosines.diagonal() > 0, **form)
    found = worlds.scores(model, HISTORIES)[:, 1:]
    torch.testing.assert_close(found, expected)
    assert (found[[0, 4]] > 0).any(dim=1).all()
    assert (found[[2, 3]] == 0).all()
    assert (found[:, [2, 5, 6]] == 0).all()


@pytest.mark.parametrize("modality", ["text", "image", "both"])
@pytest.mark.parametrize("form", FORMS)
def test_scores_by_vectors_are_sums_of_cosines_of_means(modality, form):
    every = {"text": worlds.text_table(), "image": worlds.image_table()}
    tables = [*every.values()] if modality == "both" else [every[modality]]
    model = build({"name": "mean_vectors", "modality": modality}, worlds.data(), **form)
    assert isinstance(model, VectorRecommender) == ("num_neighbours" not in form)
    has_content = sum(table.counts for table in tables) > 0
    expected = straightforward(vector_cosines(*tables), has_content, **form)
    found = worlds.scores(model, HISTORIES)[:, 1:]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found[:, 6] == 0).all(), "item 7 has neither"


def test_token_states_are_read_by_their_mean():
    text, image = worlds.text_table(), worlds.image_table()
    every = torch.arange(len(text.vectors) + 1)
    tokens = TokenTable(text.vectors, every, every[:-1], text.offsets, "")
    world = worlds.data()
    world.features["text"] = Feature(lambda: None, lambda: tokens, level=lambda: "tokens")
    found = worlds.scores(build({"name": "mean_vectors"}, world), HISTORIES)
    plain = worlds.data(text=text, image=image)
    expected = worlds.scores(build({"name": "mean_vectors"}, plain), HISTORIES)
    torch.testing.assert_close(found, expected)


def test_who_chose_what_changes_nothing(tmp_path):
    words = words_of(tmp_path)
    found = [
        worlds.scores(build(content, worlds.data(words=given, histories=histories)), HISTORIES)
        for histories in ([], [[9, 9, 9, 9, 9, 1]])
        for content, given in (({"name": "tfidf"}, words), ({"name": "mean_vectors"}, None))
    ]
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])
    assert found[0][0, 12] > 0, "a new item has scores like all others"


def test_equal_texts_tie_and_the_smaller_index_is_the_nearer_neighbour(tmp_path):
    model = build({"name": "tfidf"}, worlds.data(words=words_of(tmp_path)), num_neighbours=1)
    # 2, 10 and 11 are alike.
    found = worlds.scores(model, torch.tensor([[2], [10], [11]]))
    assert found[0, [2, 10, 11]].tolist() == [1, 1, 1]
    assert (found[1:, 1:] == 0).all()


@pytest.mark.parametrize("max_scores", [1, 30, 1 << 20])
@pytest.mark.parametrize("num_neighbours", [1, 3, 20])
def test_chunks_of_candidates_change_nothing(max_scores, num_neighbours):
    vectors = torch.nn.functional.normalize(torch.randn(13, 4, generator=torch.manual_seed(0)))
    vectors[[0, 5]] = 0
    has_content = vectors.any(dim=1)

    def similarities(first, last):
        return vectors[first:last] @ vectors.T

    found = nearest_by_content(
        similarities, has_content, num_neighbours=num_neighbours, max_scores=max_scores
    )
    expected = nearest_by_content(similarities, has_content, num_neighbours=num_neighbours)
    np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-6)
    assert found.nnz == 11 * min(num_neighbours, 11)


def test_a_large_catalogue_is_never_a_square_matrix():
    num_items, each = 200_001, 4  # squared: 320 GB
    random = np.random.default_rng(0)
    words = np.sort(random.integers(0, 100, (num_items - 1, each)) * each + np.arange(each))
    offsets = torch.cat([torch.zeros(1).long(), torch.arange(num_items) * each])
    numbers = torch.from_numpy(words.ravel())
    table = WordTable(numbers, torch.ones_like(numbers), offsets, 100 * each)
    model = build({"name": "tfidf"}, worlds.data(num_items=num_items, words=table))
    found = worlds.scores(model, torch.tensor([[1, 2, 3]]))[0]
    assert found[1:4].min() >= 1 - 1e-6


def test_no_words_that_count_are_named_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"none of the 0 words .* give the items text"):
        build({"name": "tfidf"}, worlds.data(words=words_of(tmp_path, [[], ["!"]]), num_items=3))
    with pytest.raises(ValueError, match="at least 50 and at most 100% of 12 items"):
        tfidf_vectors(words_of(tmp_path / "some"), **SWITCHES | {"min_df": 50})


def test_a_run_without_the_feature_is_refused():
    world = worlds.data(text=worlds.no_table())
    with pytest.raises(ValueError, match="contentknn reads text features, the run has text: none"):
        build({"name": "mean_vectors"}, world)
    with pytest.raises(ValueError, match="has no words; name bag_of_words"):
        build({"name": "tfidf"}, worlds.data())


def test_words_that_do_not_fit_the_catalogue_are_refused(tmp_path):
    bags = bags_of_words(sentences())
    write_bags_of_words(bags, tmp_path)
    with pytest.raises(DataError, match="are not in the catalogue"):
        load_word_table(tmp_path, items(3))
    write_bags_of_words(pa.concat_tables([bags, bags.slice(0, 1)]), tmp_path)
    with pytest.raises(DataError, match="an item has its words twice; run the clean stage"):
        load_word_table(tmp_path, items(12))
    columns = {**bags.to_pydict(), "counts": [[1]] * len(bags)}
    write_bags_of_words(pa.table(columns, schema=schemas.BAGS_OF_WORDS), tmp_path)
    with pytest.raises(DataError, match="a word has no count"):
        load_word_table(tmp_path, items(12))


def test_the_defaults_are_ten_items_alike_and_all_neighbours():
    found = ContentKnnArchitecture.model_validate({"content": {"name": "tfidf"}})
    assert (found.history_length, found.decay, found.num_neighbours) == (10, 1.0, None)
    assert found.content.model_dump(exclude={"name"}) == SWITCHES


def test_words_on_disk_are_words_and_no_vectors(tmp_path):
    dataset = Paths(tmp_path).dataset("shop")
    write_bags_of_words(bags_of_words(sentences()), dataset.features("bag_of_words"))
    write_empty_feature(dataset.features("none"))
    found = Feature.stored(dataset, "bag_of_words", items(12))
    assert found.level == "words"
    assert found.words.counts.tolist() == [0, 5, 2, 0, 2, 4, 0, 0, 5, 3, 2, 2, 3]
    with pytest.raises(DataError, match="found the words of items; expected vectors or token"):
        _ = found.vectors
    with pytest.raises(DataError, match="column 'words': found none"):
        _ = Feature.stored(dataset, "none", items(12)).words
