"""The account of a cleaning in words, also of steps and reasons that have none yet."""

from __future__ import annotations

from typing import Any

from mmrec.report.steps import Dropped, dataset_report


def _step(name: str, **more: Any) -> dict[str, Any]:
    left = {"users": 5, "items": 4, "interactions": 30, "sentences": None, "images": 3}
    return {"step": name, **left, "dropped_unit": "interactions", "dropped": {}, **more}


def test_known_keys_have_words() -> None:
    gone = {"duplicate_keep_last": 840, "user_core": 0}
    (step,) = dataset_report("d", {"steps": [_step("duplicates", dropped=gone)]}).steps
    assert step.name == "dropping duplicates"
    assert step.counts == {"users": 5, "items": 4, "interactions": 30, "pictures": 3}
    reasons = [(840, "repeated by the same user, the last one kept")]
    assert step.dropped == [Dropped("interactions", reasons)]


def test_unknown_steps_reasons_and_counts_are_shown_by_their_key() -> None:
    summary = {
        "steps": [_step("new_step", dropped_unit="images", dropped={"too_blue": 2})],
        "counted": {"blue_items": 7},
    }
    report = dataset_report("d", summary)
    assert report.steps[0].name == "new step"
    assert report.steps[0].dropped == [Dropped("pictures", [(2, "too blue")])]
    assert report.counted == [[(7, "blue items")]]


def test_what_crawl_skipped_and_further_units_are_told() -> None:
    step = _step(
        "core",
        dropped={"user_core": 9},
        dropped_users={"user_core": 3},
        dropped_items={"no_word": 0},
        skipped={"picture_of_no_item": 2},
    )
    assert dataset_report("d", {"steps": [step]}).steps[0].dropped == [
        Dropped("interactions", [(9, "below clean.user_core")]),
        Dropped("users", [(3, "below clean.user_core")]),
        Dropped("not taken from the source", [(2, "pictures of no item")]),
    ]


def test_counts_stand_together_by_topic_in_a_fixed_order() -> None:
    counted = {
        "cold_items": 8,
        "items_without_both": 23,
        "items_without_image": 134,
        "items_without_text": 89,
        "new_items": 2,
        "items_without_interaction": 1,
        "users_evaluated": 300,
        "users_evaluated_tied": 129,
        "users_without_history": 7,
        "items_tested": 400,
        "new_items_tested": 20,
    }
    summary = {"counted": counted, "protocol": {"tie_order": "random", "tie_seed": 4}}
    assert dataset_report("d", summary).counted == [
        [(89, "items without text"), (134, "without pictures"), (23, "of them without either")],
        [
            (8, "cold items"),
            (2, "of them new, without a training interaction"),
            (1, "without any, candidates of every ranking all the same"),
        ],
        [
            (300, "users evaluated"),
            (
                129,
                "of them (43%) with a test item at the same time as another of theirs, which stand"
                " in the order of a draw of its own (tie_seed 4)",
            ),
            (7, "not evaluated, with nothing before the test begins"),
        ],
        [
            (400, "held-out items of the test"),
            (
                20,
                "of them (5%) without a training interaction, candidates and targets all the same",
            ),
        ],
    ]
