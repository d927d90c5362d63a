"""Made-up summaries of a cleaning and of recommended lists."""

from __future__ import annotations

SUMMARY = {
    "steps": [
        {
            "step": "raw",
            "users": 60,
            "items": 40,
            "interactions": 1700,
            "sentences": None,
            "images": 40,
            "dropped_unit": "items",
            "dropped": {},
        },
        {
            "step": "images",
            "users": 50,
            "items": 36,
            "interactions": 1650,
            "sentences": 80,
            "images": 30,
            "dropped_unit": "images",
            "dropped": {"damaged_image": 2, "over_max_images": 8},
        },
    ],
    "counted": {"items_without_text": 3, "cold_items": 1012},
    "protocol": {"tie_order": "file"},
}
LISTS = {
    "run": "shop-mp4sr",
    "top_k": 10,
    "num_users": 1900,
    "num_items": 3600,
    "num_recommendations": 18990,
    "num_items_recommended": 1450,
    "num_users_with_fewer": 7,
    "num_users_with_none": 2,
    "catalogue_coverage": 1450 / 3600,
}
