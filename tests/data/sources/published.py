"""Tiny files in the layouts in which Amazon, Goodreads and H&M are published."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrec.params import sources as params
from tests.data.raw_world import jpeg

Rows = Sequence[Mapping[str, Any]]

PRODUCTS_2014 = [
    {
        "asin": "0000031852",
        "title": 'Girls "Ballet" Tutu\'s',
        "price": 3.17,
        "imUrl": "http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg",
        "related": {"also_bought": ["B00JHONN1S"]},
        "salesRank": {"Toys & Games": 211836},
        "brand": "Coxlures",
        "categories": [["Sports & Outdoors", "Other Sports"], ["Dance"]],
        "description": "A tutu.",
    },
    {"asin": "0000031909", "categories": [["Toys & Games"]]},
]
REVIEWS_2014 = [
    {
        "reviewerID": "A2SUAM1J3GNN3B",
        "asin": "0000031852",
        "reviewerName": "J. McDonald",
        "helpful": [2, 3],
        "reviewText": "Nice.",
        "overall": 5.0,
        "summary": "Heavenly",
        "unixReviewTime": 1252800000,
        "reviewTime": "09 13, 2009",
    },
    {"reviewerID": "B", "asin": "0000031909", "overall": 1.0, "unixReviewTime": 1252800001},
]
PRODUCTS_2018 = [
    {
        "asin": "0000031852",
        "title": "Girls Ballet Tutu Zebra Hot Pink",
        "feature": ["Botiquecutie Trademark", "Hot Pink Zebra"],
        "description": ["This tutu is great.", ""],
        "price": "$3.17",
        "imageURL": [
            "http://images-na.ssl/I/51f._US40_.jpg",
            "http://images-na.ssl/I/51g._US40_.jpg",
        ],
        "imageURLHighRes": ["http://images-na.ssl/I/51f.jpg", "http://images-na.ssl/I/51g.jpg"],
        "also_buy": ["B00JHONN1S"],
        "salesRank": {"Toys & Games": 211836},
        "brand": "Coxlures",
        "category": ["Sports", "Dance"],
        "tech1": "",
        "similar_item": "",
        "rank": [">#211,836 in Toys & Games (See top 100)"],
        "main_cat": "Toys & Games",
        "details": {
            "\n    Product Dimensions: \n    ": "2 x 3 inches ; 4 ounces",
            "Shipping Weight:": "4 ounces (",
            "Domestic Shipping: ": "Item can be shipped within U.S.",
            "ASIN:": "0000031852",
            "ASIN: ": "0000031852",
            "ASIN::": "0000031852",
            "ISBN-10:": "0000031852",
            "Label::": "\n Capezio\n ",
            "Audio CD": "",
        },
    },
    {
        "asin": "B1",
        "title": "var aPageStart = (new Date()).getTime();",
        "image": ["http://a/t.jpg"],
    },
    {"asin": "0000031852", "title": "Repeated"},
]
REVIEWS_2018 = [
    {
        "image": ["https://images-na.ssl/I/71eG.jpg"],
        "overall": 5.0,
        "vote": "2",
        "verified": True,
        "reviewTime": "01 1, 2018",
        "reviewerID": "AUI6WTTT0QZYS",
        "asin": "0000031852",
        "style": {"Size:": "Large"},
        "unixReviewTime": 1514764800,
    }
]


def _picture(name: str, hi_res: str | None) -> dict[str, str | None]:
    link = f"https://m/I/{name}"
    return {"thumb": f"{link}_40.jpg", "large": f"{link}.jpg", "variant": "X", "hi_res": hi_res}


PRODUCTS_2023 = [
    {
        "main_category": "All Beauty",
        "title": "Howard Leather Salve",
        "average_rating": 4.8,
        "rating_number": 10,
        "features": ["Protects.", "Cleans."],
        "description": ["For leather.", "Not for suede."],
        "price": None,
        "images": [
            {
                "thumb": "https://m/I/a_40.jpg",
                "large": "https://m/I/a.jpg",
                "variant": "MAIN",
                "hi_res": "https://m/I/a_1500.jpg",
            },
            {
                "thumb": "https://m/I/b_40.jpg",
                "large": "https://m/I/b.jpg",
                "variant": "PT01",
                "hi_res": None,
            },
            {
                "thumb": "https://m/I/a_40.jpg",
                "large": "https://m/I/a.jpg",
                "variant": "PT02",
                "hi_res": "https://m/I/a_1500.jpg",
            },
        ],
        "videos": [],
        "store": "Howard Products",
        "categories": ["Beauty", "Leather"],
        "details": {"Brand": "Howard", "Best Sellers Rank": {"Beauty": 5}},
        "parent_asin": "B01CUPMQZE",
        "bought_together": None,
    },
    {
        "parent_asin": "B2",
        "title": "Half a pair \ud83d",
        "images": [],
        "features": [],
        "details": {},
    },
]
REVIEWS_2023 = [
    {
        "rating": 5.0,
        "title": "Great",
        "text": "Works.",
        "images": [],
        "asin": "B00YQ6X8EO",
        "parent_asin": "B01CUPMQZE",
        "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
        "timestamp": 1588687728923,
        "helpful_vote": 0,
        "verified_purchase": True,
    },
    {"rating": 2, "parent_asin": "B2", "user_id": "U2", "timestamp": 1588687728000},
]
BOOKS = [
    {
        "isbn": "0312853122",
        "popular_shelves": [{"count": "3", "name": "to-read"}],
        "description": "A story.",
        "authors": [{"author_id": "604031", "role": ""}],
        "publisher": "St. Martin's Press",
        "image_url": "https://images.gr-assets.com/books/1310220028m/5333265.jpg",
        "book_id": "5333265",
        "title": "W.C. Fields",
    },
    {
        "book_id": "1333909",
        "title": "Good Harbor",
        "description": "",
        "image_url": "https://s.gr-assets.com/assets/nophoto/book/111x148-bcc042a9.png",
    },
    {"book_id": "5333265", "title": "Repeated"},
]
GENRES = [{"book_id": "5333265", "genres": {"history, biography": 1, "fiction": 2}}]
_NEW_YEAR = "Sat Jan 01 00:00:00 +0000 2000"
EVENTS = [
    {
        "user_id": "8842281e1d1347389f2ab93d60773d4d",
        "book_id": "5333265",
        "review_id": "5cd4",
        "is_read": True,
        "rating": 5,
        "date_added": "Mon Apr 04 20:10:53 -0700 2016",
        "date_updated": "Mon Apr 04 20:11:00 -0700 2016",
    },
    {
        "user_id": "u2",
        "book_id": "1333909",
        "rating": 0,
        "date_added": "Sat Jan 01 00:00:00 +0000 2000",
    },
]
_ARTICLE_COLUMNS = (
    "article_id,product_code,prod_name,product_type_name,product_group_name,"
    "graphical_appearance_name,colour_group_name,department_name,section_name,"
    "garment_group_name,detail_desc"
)


def write_lines(path: Path, rows: Rows, *, literals: bool = False) -> Path:
    """A row a line, as JSON or as Python literals; packed if the name says so."""
    text = "".join((repr(row) if literals else json.dumps(row)) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def amazon_2023(folder: Path) -> params.AmazonSourceParams:
    write_lines(folder / "Beauty.jsonl.gz", REVIEWS_2023)
    write_lines(folder / "meta_Beauty.jsonl", PRODUCTS_2023)
    return params.AmazonSourceParams(
        name="amazon",
        layout=2023,
        reviews="Beauty.jsonl.gz",
        metadata="meta_Beauty.jsonl",
        images="large",
    )


def goodreads_json(folder: Path) -> params.GoodreadsSourceParams:
    write_lines(folder / "books.json.gz", BOOKS)
    write_lines(folder / "genres.json.gz", GENRES)
    write_lines(folder / "events.json.gz", EVENTS)
    return params.GoodreadsSourceParams(
        name="goodreads",
        books="books.json.gz",
        interactions="events.json.gz",
        book_ids=None,
        genres="genres.json.gz",
        images=True,
    )


def hm_world(folder: Path) -> params.HmSourceParams:
    (folder / "articles.csv").write_text(
        f"{_ARTICLE_COLUMNS}\n"
        "0108775015,0108775,Strap top,Vest top,Garment,Solid,Black,Jersey,Basics,"
        'Jersey Basic,"Jersey top, narrow."\n'
        "0108775044,0108775,Strap top,Vest top,Garment,Solid,White,Jersey,Basics,Jersey Basic,\n"
    )
    (folder / "transactions_train.csv").write_text(
        "t_dat,customer_id,article_id,price,sales_channel_id\n"
        "2018-09-20,000058a1,0108775015,0.0508,2\n"
        "2018-09-21,000058a1,0108775044,0.0304,2\n"
    )
    for name in ("010/0108775015", "010/0100000000", "011/0108775015"):
        path = folder / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg())
    (folder / "images" / "README.txt").touch()
    return params.HmSourceParams(name="hm", images="images")
