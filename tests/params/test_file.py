from __future__ import annotations

import inspect
import io
import re
import subprocess
import sys
import time
import typing
from pathlib import Path
from typing import Any

import dvc.stage.cache
import pytest
from dvc_data.hashfile.meta import Meta
from pydantic import BaseModel
from ruamel.yaml import YAML

from mmrec.params.file import ParamsError, load_params
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.pipeline import Params
from mmrec.params.section import IGNORED_BY_RUN_CACHE

ROOT = Path(__file__).parents[2]
PRETRAINING = {
    "dataset": "demo",
    "model": "mp4sr",
    "text": "sentences",
    "image": "clip_image",
    "seed": 1,
}


@pytest.fixture
def data() -> Any:
    return YAML(typ="safe").load((ROOT / "params.yaml").read_text())


def messages(data: object, folder: Path) -> list[str]:
    text = io.StringIO()
    YAML(typ="safe").dump(data, text)
    path = folder / "params.yaml"
    path.write_text(text.getvalue())
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value).splitlines()


def test_the_shipped_file_is_valid() -> None:
    assert "demo" in load_params(ROOT / "params.yaml").datasets


EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_every_example_is_valid() -> None:
    assert len(EXAMPLES) >= 4
    for path in EXAMPLES:
        assert load_params(path).runs, path


def test_all_errors_come_in_one_message_with_path_value_and_what_is_allowed(
    data: Any, tmp_path: Path
) -> None:
    data["datasets"]["demo"]["source"]["num_item"] = 3
    data["datasets"]["demo"]["clean"]["user_core"] = -1
    data["models"]["mp4sr"]["pretrain"] = {"contrast": {"cmcl_denominator": "x"}, "epcohs": 3}
    data["models"]["mistyped"] = {"name": "mp4rs"}
    data["embed"]["text"]["demo-sentences"]["extractor"]["name"] = "word2vec"
    del data["evaluate"]["mask_history"]
    data["runs"]["with space"] = data["runs"]["demo-sasrec"]
    data["runs"]["demo-mp4sr"]["dataset"] = "shop"
    data["pretrainings"]["demo-mp4sr"]["model"] = "bert"
    data["unions"]["twice"] = {"left": "demo", "right": "demo"}
    lines = messages(data, tmp_path)
    assert lines[0] == "params.yaml: 14 errors"
    text = "\n".join(lines)
    assert "datasets.demo.clean.user_core: found -1; Input should be greater than or equal" in text
    assert "datasets.demo.source.num_item: unknown key (did you mean num_items?)" in text
    assert "allowed here: name, num_items, num_users, seed" in text
    assert "models.mp4sr.pretrain.contrast.cmcl_denominator: found 'x', allowed: 'gca'" in text
    assert "models.mp4sr.pretrain.epcohs: unknown key (did you mean epochs?)" in text
    assert "models.mistyped.name: found 'mp4rs', allowed: 'mp4sr', 'mmsrec'" in text
    assert "extractor.name: found 'word2vec', allowed: 'sentence_transformer'" in text
    assert "evaluate.mask_history: missing" in text
    assert "runs.with space: a name is made of letters" in text
    assert "runs.demo-mp4sr.dataset: found 'shop', allowed: demo" in text
    assert (
        "pretrainings.demo-mp4sr.model: found 'bert', allowed: itemknn, meanvectors, mistyped"
        in text
    )
    assert "report.dataset: found 'demo', but recommend.run 'demo-mp4sr' is on 'shop'" in text
    assert "report.maps: found 'demo-mp4sr', which is on 'shop', but report.dataset is" in text
    assert "unions.twice.right: found 'demo', as left; name another dataset" in text
    assert "ensembles.demo-together.second.run: found 'demo-mp4sr', which is on 'shop'" in text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs.demo-mp4sr.dataset", "shop", "runs.demo-mp4sr.dataset: found 'shop', allowed: demo"),
        ("runs.demo-mp4sr.model", "bert", "runs.demo-mp4sr.model: found 'bert', allowed:"),
        ("runs.demo-mp4sr.text", "titles", "runs.demo-mp4sr.text: found 'titles', allowed: none,"),
        ("runs.demo-mp4sr.init_from", "x", "init_from: found 'x', allowed: none, demo-mp4sr"),
        ("runs.demo-mp4sr.init_from", "demo-mp4sr-id", "init_from: found 'demo-mp4sr-id', allowed"),
        (
            "runs.demo-sasrec.init_from",
            "demo-mp4sr",
            "runs.demo-sasrec.init_from: model 'sasrec' cannot start from model 'mp4sr' of "
            "'demo-mp4sr': that is a mp4sr, this a sasrec; take one of a sasrec, or none",
        ),
        ("pretrainings.demo-mp4sr.dataset", "shop", "demo-mp4sr.dataset: found 'shop', allowed"),
        ("pretrainings.demo-mp4sr.text", "titles", "demo-mp4sr.text: found 'titles', allowed: no"),
        ("pretrainings.demo-mp4sr.image", "none", "features in pretrain; name one"),
        (
            "pretrainings.demo-mp4sr.model",
            "mp4sr-id",
            "pretrainings.demo-mp4sr.model: 'mp4sr-id' has no pre-training (pretrain: null); set "
            "it, or take this entry out and let its runs start from none",
        ),
        ("pretrainings.none", PRETRAINING, "pretrainings.none: 'none' is the name of no pre-trai"),
        ("pretrainings.demo-mp4sr.init_from", "none", "init_from: unknown key; allowed here: data"),
        ("recommend.run", "x", "recommend.run: found 'x', allowed: demo-itemknn"),
        ("recommend.run", "demo-itemknn", "but its model 'itemknn' (itemknn) has no vectors"),
        ("report.dataset", "x", "report.dataset: found 'x', allowed: demo"),
        ("report.maps", ["x"], "report.maps: found 'x', allowed: demo-itemknn"),
        (
            "report.maps",
            ["demo-mp4sr", "demo-itemknn"],
            "report.maps: found 'demo-itemknn', but its model 'itemknn' (itemknn) has no vectors "
            "to lay out; name a run of another model",
        ),
        ("report.maps", ["demo-mp4sr"] * 2, "maps: found ['demo-mp4sr', 'demo-mp4sr'], expected"),
        ("report.categories", ["Lamp", "lamp"], "categories: found ['Lamp', 'lamp'], expected ea"),
        ("report.categories", [" "], "report.categories[0]: found ' '; String should match"),
        ("report.categories", list("abcdefghijklmnopqrstu"), "at most 20 items"),
        ("embed.image.demo-clip_image.feature", "sentences", "already writes feature 'sentences'"),
        ("embed.image.demo-clip_image.feature", "none", "'none' is the name of no feature"),
        ("embed.image.demo-clip_image.dataset", "x", "demo-clip_image.dataset: found 'x'"),
        ("datasets.demo.keywords", {"name": "none"}, "reads keywords, but datasets.demo.keywords"),
        ("unions", {"u": {"left": "demo", "right": "x"}}, "unions.u.right: found 'x'"),
        ("evaluate.cutoffs", [10, 5], "cutoffs must ascend without repeats, found [10, 5]"),
        (
            "runs.demo-mp4sr.image",
            "none",
            "model 'mp4sr' reads image features in finetune; name one, or train and score without "
            "them (finetune.joint: null, finetune.score_branches)",
        ),
        ("models.mp4sr.architecture", {"num_heads": 3}, "embedding_dim (64) must be a multiple"),
        (
            "models.mp4sr.architecture",
            {"dropout": 0.1},
            "runs.demo-mp4sr-id.init_from: model 'mp4sr-id' cannot start from model 'mp4sr' of "
            "'demo-mp4sr': they have different architectures; give both the same, or none",
        ),
        ("models.sasrec.finetune.batch_size", 10, "batch_size (10 targets) cannot hold a window"),
        (
            "evaluate.mask_history",
            "nil",
            "mask_history: found 'nil', allowed: True, False or 'zero'",
        ),
        (
            "evaluate.history_bins",
            5,
            "evaluate.history_bins: found 5; Input should be a valid",
        ),
        ("evaluate.history_bins", [5, 0], "evaluate.history_bins[1]: found 0; Input should be gr"),
        ("evaluate.history_bins", [9, 5], "history_bins must ascend without repeats, found [9, 5]"),
        (
            "evaluate.history_bins",
            {"name": "quantiles", "group": 5},
            "evaluate.history_bins.group: unknown key (did you mean groups?)",
        ),
        (
            "evaluate.history_bins",
            {"name": "quantiles", "groups": 1},
            "evaluate.history_bins.groups: found 1; Input should be greater than or equal to 2",
        ),
        ("evaluate.lists_at", [20, 10], "lists_at must ascend without repeats, found [20, 10]"),
        ("models.sasrec.finetune.window_overlap", 50, "window_overlap (50) must be below"),
        ("models.sasrec.finetune.learning_rate", float("inf"), "should be a finite number"),
        (
            "models.sasrec.finetune.groups",
            [{"prefixes": ["sequence_encoder"]}, {"prefixes": ["sequence_encoder.positions"]}],
            "models.sasrec.finetune: groups 0 and 1 both claim what is in 'sequence_encoder.pos",
        ),
        (
            "models.sasrec.finetune.groups",
            [{"prefixes": ["item_ids"], "weight_decoy": 0.1}],
            "finetune.groups[0].weight_decoy: unknown key (did you mean weight_decay?)",
        ),
        (
            "models.mp4sr.pretrain.schedule",
            {"name": "cosine"},
            "models.mp4sr.pretrain.schedule.name: found 'cosine', allowed: 'constant', 'linear_to'",
        ),
        ("models.sasrec.finetune.epochs", True, "epochs: found True; Input should be a valid int"),
        (
            "models.mp4sr.pretrain.contrast",
            {"nip_weight": 0, "cmcl_weight": 0},
            "models.mp4sr.pretrain.contrast: nip_weight and cmcl_weight are both 0",
        ),
    ],
)
def test_what_does_not_go_together_is_named_with_what_would(
    data: Any, tmp_path: Path, path: str, value: object, message: str
) -> None:
    *parents, last = path.split(".")
    section = data
    for step in parents:
        section = section[step]
    section[last] = value
    assert message in "\n".join(messages(data, tmp_path))


@pytest.mark.parametrize("model", ["sasrecm", "fdsa", "morec"])
def test_a_run_of_one_feature_is_told_how_to_do_without_the_other(
    data: Any, tmp_path: Path, model: str
) -> None:
    entry = {"name": model, "architecture": {}, "pretrain": None, "finetune": {}}
    data["models"]["mine"] = entry
    run = {"model": "mine", "image": "none", "init_from": "none"}
    data["runs"]["mine"] = data["runs"]["demo-mp4sr-id"] | run
    expected = (
        "runs.mine.image: found 'none', but model 'mine' reads image features in finetune; "
        "name one, or read the other alone (architecture.modality)"
    )
    assert messages(data, tmp_path)[1].strip() == expected
    entry["architecture"] = {"modality": "text"}
    path = tmp_path / "params.yaml"
    YAML(typ="safe").dump(data, path)
    assert load_params(path).runs["mine"].image == "none"


def with_words(data: Any, **run: str) -> dict[str, Any]:
    """The shipped run by TF-IDF, changed; and its dataset's cleaning."""
    data["runs"]["demo-tfidf"] |= run
    clean: dict[str, Any] = data["datasets"]["demo"]["clean"]
    return clean


def test_words_go_to_a_model_of_words_and_to_no_other(data: Any, tmp_path: Path) -> None:
    with_words(data, text="sentences", image="bag_of_words")
    data["runs"]["demo-mp4sr-id"]["text"] = "bag_of_words"
    lines = "\n".join(messages(data, tmp_path))
    for expected in (
        "runs.demo-tfidf.text: found 'sentences', but model 'tfidf' (contentknn) reads the words "
        "of items; name bag_of_words",
        "runs.demo-mp4sr-id.text: found 'bag_of_words', but model 'mp4sr-id' (mp4sr) reads "
        "vectors; name a feature of an extractor",
        "runs.demo-tfidf.image: found 'bag_of_words', allowed: none, ",
    ):
        assert expected in lines
    data["embed"]["text"]["demo-sentences"]["feature"] = "bag_of_words"
    expected = (
        "embed.text.demo-sentences.feature: 'bag_of_words' is the words of items, which clean "
        "writes of every dataset; choose another"
    )
    assert expected in "\n".join(messages(data, tmp_path))


def test_words_need_text(data: Any, tmp_path: Path) -> None:
    with_words(data)["text_fields"] = []
    assert "clean.text_fields is [], so that no item has words" in "\n".join(
        messages(data, tmp_path)
    )
    with_words(data, text="none")
    assert "found 'none', but model 'tfidf' (contentknn) reads the words" in "\n".join(
        messages(data, tmp_path)
    )


@pytest.mark.parametrize(
    ("change", "has_vectors"),
    [({}, True), ({"num_neighbours": 5}, False), ({"content": {"name": "tfidf"}}, False)],
)
def test_neighbours_by_content_have_vectors_where_these_are_exact(
    data: Any, tmp_path: Path, change: dict[str, Any], has_vectors: bool
) -> None:
    data["models"]["meanvectors"]["architecture"] |= change
    if "content" in change:
        data["runs"]["demo-meanvectors"] |= {"text": "bag_of_words", "image": "none"}
    data["recommend"]["run"] = "demo-meanvectors"
    path = tmp_path / "params.yaml"
    YAML(typ="safe").dump(data, path)
    if has_vectors:
        assert load_params(path).recommend.run == "demo-meanvectors"
    else:
        assert "(contentknn) has no vectors to search" in "\n".join(messages(data, tmp_path))


TOKENS = {
    "name": "transformer_text_tokens",
    "model": "bert-base-uncased",
    "revision": None,
    "below_last": 0,
    "special_tokens": True,
    "lowercase": False,
    "max_length": 50,
}


def test_token_states_for_a_model_of_vectors_are_refused_and_the_reverse(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data["embed"]["text"]["demo-sentences"]["extractor"] = TOKENS
    says = (
        "runs.demo-mp4sr.text: found 'sentences', which embed.text.demo-sentences writes as "
        "tokens, but model 'mp4sr' (mp4sr) reads vectors; name a feature of vectors"
    )
    assert says in "\n".join(messages(data, tmp_path))
    monkeypatch.setattr(Mp4srParams, "levels", ("tokens",))
    lines = "\n".join(messages(data, tmp_path))
    assert says not in lines
    assert "runs.demo-mp4sr.image: found 'keyword_sentences', which embed.text" in lines
    assert "writes as vectors, but model 'mp4sr' (mp4sr) reads tokens" in lines


@pytest.mark.parametrize(
    ("tune", "kept", "wanted"), [("top2", 1, 2), ("top2", 2, 0), ("all", 0, 1), ("none", 0, 0)]
)
def test_blocks_that_are_to_be_trained_must_be_kept(
    data: Any, tmp_path: Path, tune: str, kept: int, wanted: int
) -> None:
    data["embed"]["text"]["demo-sentences"] |= {
        "per": "item",
        "extractor": TOKENS | {"below_last": kept},
    }
    architecture = {"modality": "text", "tune": tune}
    data["models"]["tuned"] = {
        "name": "mmsr",
        "architecture": architecture,
        "pretrain": None,
        "finetune": {},
    }
    data["runs"]["demo-tuned"] = data["runs"]["demo-sasrec"] | {
        "model": "tuned",
        "text": "sentences",
    }
    says = (
        f"runs.demo-tuned.text: found 'sentences', whose states enter {kept} blocks "
        "(embed.text.demo-sentences.extractor.below_last), but model 'tuned' (mmsr) trains "
        f"{wanted}"
    )
    assert (says in "\n".join(messages(data, tmp_path))) == (wanted > 0)


@pytest.mark.parametrize(
    ("architecture", "finetune", "wanted"),
    [
        ({}, {"modal_readout": "cls"}, True),
        ({}, {"modal_readout": "mean"}, False),
        ({"text_cls": "mean"}, {"modal_readout": "cls"}, False),
    ],
)
def test_a_class_token_that_is_read_must_be_kept(
    data: Any, tmp_path: Path, architecture: Any, finetune: Any, wanted: bool
) -> None:
    extractor = TOKENS | {"below_last": 0, "special_tokens": False}
    data["embed"]["text"]["demo-sentences"] |= {"per": "item", "extractor": extractor}
    data["models"]["whole"] = {
        "name": "pmmrec",
        "architecture": {"tune": "none"} | architecture,
        "pretrain": None,
        "finetune": {"modality": "text"} | finetune,
    }
    of_whole = {"model": "whole", "text": "sentences"}
    data["runs"]["demo-whole"] = data["runs"]["demo-sasrec"] | of_whole
    says = (
        "runs.demo-whole.text: found 'sentences', which embed.text.demo-sentences writes without "
        "special tokens, but model 'whole' (pmmrec) reads a class token of each content"
    )
    assert (says in "\n".join(messages(data, tmp_path))) == wanted


def test_malformed_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("datasets:\n  demo: [1, 2\nruns: {}\n")
    with pytest.raises(ParamsError, match="line"):
        load_params(path)


def test_bytes_that_are_no_yaml_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"runs: \x07\n")
    with pytest.raises(ParamsError, match="not valid YAML"):
        load_params(path)


def test_a_repeated_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("runs: {}\nruns: {}\n")
    with pytest.raises(ParamsError, match="duplicate key"):
        load_params(path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="run from the folder that holds it"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("stage", ["crawl", "embed_text", "finetune", "report"])
def test_a_stage_reports_wrong_params_before_anything_heavy_is_imported(
    data: Any, tmp_path: Path, stage: str
) -> None:
    data["evaluate"]["cutoffs"] = "ten"
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(data, file)
    program = (
        "import runpy, sys; sys.argv = ['stage', 'demo']\n"
        f"try: runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit as error: print(error.code)\n"
        "print('torch' in sys.modules, 'polars' in sys.modules)"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    assert "evaluate.cutoffs: found 'ten'" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "False False"
    # Generous against a busy machine; what makes it fast is that nothing heavy is imported.
    assert seconds < 10


def sections(kind: Any) -> set[type[BaseModel]]:
    """Every section class that an annotation leads to."""
    found = set()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        found.add(kind)
        for field in kind.model_fields.values():
            found |= sections(field.annotation)
    return found.union(*map(sections, typing.get_args(kind)))


def test_no_key_has_a_name_that_the_run_cache_ignores(data: Any, tmp_path: Path) -> None:
    kinds = sections(Params)
    assert len(kinds) > 30
    for kind in kinds:
        assert not set(kind.model_fields) & set(IGNORED_BY_RUN_CACHE), kind
    data["runs"]["size"] = data["runs"]["demo-sasrec"]
    text = "\n".join(messages(data, tmp_path))
    assert "runs.size: " in text
    assert "DVC's run-cache ignores keys named 'size'" in text


def test_the_ignored_names_are_those_of_the_installed_dvc() -> None:
    source = inspect.getsource(dvc.stage.cache._get_cache_hash)
    excluded = re.search(r"exclude=\[([^\]]*)\]", source)
    assert excluded
    names = [getattr(Meta, name) for name in re.findall(r"Meta\.(\w+)", excluded[1])]
    assert set(names) == set(IGNORED_BY_RUN_CACHE)


def test_manners_that_are_none_are_told_in_words(tmp_path: Path) -> None:
    data = YAML(typ="safe").load((ROOT / "examples" / "amazon.yaml").read_text())
    manners = data["datasets"]["games"]["crawl"]
    manners |= {"contact": "me", "retry": ["http_999", "foo"], "allow_networks": ["10.1.0.1/16"]}
    _, network, contact, reason = messages(data, tmp_path)
    assert "crawl.allow_networks[0]: found '10.1.0.1/16'; 10.1.0.1/16 has host bits set" in network
    assert "crawl.contact: found 'me'; expected an address or a page" in contact
    assert "crawl.retry[1]: found 'foo'; no reason for which a link fails; allowed: http" in reason
