"""What columns are usually called, by what is in them."""

from __future__ import annotations

from typing import Final

USER: Final = (
    *("userid", "user", "customerid", "customer", "reviewerid", "reviewer", "memberid", "member"),
    *("clientid", "client", "visitorid", "visitor", "accountid", "account", "buyerid", "buyer"),
    *("shopperid", "shopper", "personid", "person", "profileid", "uid", "customerno", "userno"),
)
ITEM: Final = (
    *("itemid", "item", "sku", "parentasin", "asin", "productid", "product", "articleid"),
    *("article", "movieid", "movie", "filmid", "bookid", "book", "isbn", "isbn13", "trackid"),
    *("songid", "videoid", "gameid", "recipeid", "listingid", "offerid", "newsid", "goodsid"),
    *("ean", "gtin", "upc", "iid", "itemno", "productno", "articleno", "productcode", "id"),
)
TIME: Final = (
    *("timestamp", "time", "datetime", "date", "ts", "unixreviewtime", "eventtime", "createdat"),
    *("created", "orderdate", "orderedat", "purchasedat", "purchasedate", "ratedat", "viewedat"),
    *("tdat", "when", "day"),
)
RATING: Final = ("rating", "stars", "score", "overall", "rate", "grade", "starrating")
TITLE: Final = (
    *("title", "name", "productname", "producttitle", "itemname", "itemtitle", "headline"),
    *("prodname", "booktitle", "movietitle", "displayname", "label"),
)
CATEGORY: Final = (
    *("category", "categories", "genre", "genres", "department", "producttype", "maincategory"),
    *("productgroupname", "type", "class", "section", "categoryname"),
)
OTHERS: Final = (USER, TIME, RATING)
"""What a column of items in a log is not called."""


def bare(name: str) -> str:
    """A name without case and marks.

    >>> bare("Customer_ID"), bare("createdAt")
    ('customerid', 'createdat')
    """
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def likeness(name: str, usual: tuple[str, ...]) -> float:
    """How much like a usual name one is: 1 for the first of these, 0 for none.

    >>> likeness("User ID", USER), likeness("price", USER), 0 < likeness("shop_user_id", USER) < 0.5
    (1.0, 0.0, True)
    """
    own = bare(name)
    if own in usual:
        return 1 - usual.index(own) / (2 * len(usual))
    parts = [word for word in usual if len(word) > 3 and (own.endswith(word) or word in own)]
    return 0.4 if parts else 0.0
