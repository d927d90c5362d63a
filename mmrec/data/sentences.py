"""Text as catalogues have it in, repaired sentences out; works offline, without a model."""

from __future__ import annotations

import re

import ftfy
from selectolax.lexbor import LexborHTMLParser
from sentencex import segment

_TAGS = (
    "a|abbr|address|article|aside|audio|b|big|blockquote|body|br|button|caption|center|cite|"
    "code|col|colgroup|dd|del|details|div|dl|dt|em|embed|fieldset|figcaption|figure|font|"
    "footer|form|h1|h2|h3|h4|h5|h6|head|header|hr|html|i|iframe|img|input|ins|label|legend|li|"
    "link|main|map|mark|meta|nav|noscript|object|ol|option|p|param|picture|pre|q|s|samp|"
    "script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|"
    "tbody|td|template|textarea|tfoot|th|thead|title|tr|tt|u|ul|var|video|wbr"
)
_NO_TAG = re.compile(rf"<(?!/?(?:{_TAGS})(?:[\s/>])|!--|!doctype\b)", re.IGNORECASE)
_BLOCKS = (
    "address,article,aside,blockquote,br,caption,center,dd,div,dl,dt,figcaption,figure,footer,"
    "form,h1,h2,h3,h4,h5,h6,header,hr,li,main,nav,ol,option,p,pre,section,table,td,th,title,tr,ul"
)
_UNSEEN = ["head", "iframe", "noscript", "object", "script", "style", "svg", "template"]
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_REPAIRS = ftfy.TextFixerConfig(unescape_html=False, explain=False)
_MAX_ESCAPES = 3


def repair_text(text: str) -> str:
    """Undo HTML, wrong encodings and stray characters; NFC.

    Tags and entities go, also where they were escaped twice; a `<` that opens no HTML tag
    stays. Spaces collapse; line breaks stay, and paragraphs, list items, table cells and
    `<br>` end with an empty line.
    """
    for _ in range(_MAX_ESCAPES):
        visible = _without_html(text) if "<" in text or "&" in text else text
        if visible == text:
            break
        text = visible
    text = ftfy.fix_text(text, _REPAIRS).translate(_INVISIBLE)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def repair_line(text: str) -> str:
    """Repair a text and put it on one line, e.g. a title."""
    return " ".join(repair_text(text).split())


def split_sentences(text: str) -> list[str]:
    """Split a repaired text into sentences, each on one line."""
    sentences: list[str] = []
    for paragraph in text.split("\n\n"):
        lines: list[str] = []
        for piece in segment("en", paragraph):
            line = " ".join(piece.split())
            # A full stop before a small letter or a figure ended an abbreviation ("approx. 2 cm",
            # "incl. lid"), of which no splitter knows all: too long a sentence costs less than
            # half of one.
            if lines and (line[:1].islower() or line[:1].isdigit()):
                lines[-1] += f" {line}"
            else:
                lines.append(line)
        sentences += lines
    return sentences


def has_word(text: str) -> bool:
    """Whether there is a letter or a digit, of any script."""
    return any(map(str.isalnum, text))


def _without_html(text: str) -> str:
    # An HTML parser drops what looks like a tag: "<NEW>", "size <10>", an unclosed "<b".
    head, bracket, tail = text.rpartition(">")
    markup = _NO_TAG.sub("&lt;", head + bracket) + tail.replace("<", "&lt;")
    body = LexborHTMLParser(markup).body
    if body is None:
        return ""
    body.strip_tags(_UNSEEN)
    for block in body.css(_BLOCKS):
        block.insert_before("\n\n")
        block.insert_after("\n\n")
    return body.text(deep=True)
