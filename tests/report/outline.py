"""A page as a tree, to ask it what it says and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "hr", "path", "use", "input"}


@dataclass
class Node:
    """An element; texts are children without a tag."""

    tag: str = ""
    attrs: dict[str, str | None] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    data: str = ""

    def walk(self) -> Iterator[Node]:
        """The elements below, in order."""
        for child in self.children:
            if child.tag:
                yield child
                yield from child.walk()

    def find(self, tag: str = "", *, css: str = "", ident: str = "") -> list[Node]:
        """The elements below with this tag, class and id, as far as given."""
        return [
            node
            for node in self.walk()
            if (not tag or node.tag == tag)
            and (not css or css in str(node.attrs.get("class", "")).split())
            and (not ident or node.attrs.get("id") == ident)
        ]

    @property
    def text(self) -> str:
        """All text at and below, as it is written."""
        return self.data + "".join(child.text for child in self.children)

    @property
    def words(self) -> str:
        """All text at and below, white space made single."""
        return " ".join(self.text.split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(self.open[-1].children[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(Node(data=data))


def parse(page: str) -> Node:
    """The tree of a page; fails on tags that do not nest and on script attributes."""
    parser = _Parser()
    parser.feed(page)
    assert len(parser.open) == 1
    return parser.open[0]
