"""What a module reaches, on packages of a few lines."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mmrec.code.sources import CodeError
from tests.code.packages import closure, names, write

TOOLS = """
import logging
from shop import more
SIZE = 3
def cut(x): return x[:SIZE]
def saw(x): return more.split(x)
class Box: ...
"""
MORE = "def split(x): return x\ndef glue(x): return x\n"


@pytest.mark.parametrize(
    ("stage", "reached"),
    [
        ("from shop.tools import cut\ncut([])", {"tools:cut", "tools:SIZE"}),
        ("from shop.tools import saw as s\ndef main(): s([])", {"tools:saw", "more:split"}),
        ("import shop.tools\nshop.tools.cut([])", {"tools:cut", "tools:SIZE"}),
        ("import shop.tools as t\nt.Box()", {"tools:Box"}),
        ("from shop import tools\ndef main(): tools.Box.x", {"tools:Box"}),
        ("from . import tools\ntools.Box()", {"tools:Box"}),
        ("from .tools import Box\nBox()", {"tools:Box"}),
        ("from .deep.low import f\nf()", {"deep.low:f", "tools:Box"}),
        ("def main():\n    from shop.tools import Box", {"tools:Box"}),
        ("def main():\n    import shop.more as m\n    m.glue(1)", {"more:split", "more:glue"}),
        ("from shop import more\nprint(more)", {"more:split", "more:glue"}),
        ("from shop import more\ngetattr(more, input())", {"more:split", "more:glue"}),
        ("command = ['python', '-m', 'shop.more']", {"more:split", "more:glue"}),
        ("from shop.passed_on import Box\nBox()", {"tools:Box"}),
        ("from shop.tools import Box", set()),
        ("import logging, numpy.linalg as l\nl.norm(logging)", set()),
        (
            "class A:\n    def f(self):\n        from shop.tools import Box\n"
            "    def g(self): return Box\nfrom shop.more import split as Box",
            {"tools:Box", "more:split"},
        ),
        ("try:\n    from shop.more import glue\nexcept ImportError:\n    glue = 1", {"more:glue"}),
    ],
)
def test_what_a_stage_reaches(stage: str, reached: set[str], tmp_path: Path) -> None:
    files = {
        "stage.py": stage,
        "tools.py": TOOLS,
        "more.py": MORE,
        "passed_on.py": "from .tools import Box",
        "deep/low.py": "from ..tools import Box\ndef f(): return Box()",
    }
    if stage.startswith("try"):
        stage = files["stage.py"] = f"{stage}\nglue(1)"
    assert names(closure(tmp_path, files)) == reached


def test_what_only_type_checkers_see_does_not_count(tmp_path: Path) -> None:
    files = {
        "stage.py": (
            "from __future__ import annotations\nimport typing\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from shop.tools import Box\n"
            "def main(box: Box):\n"
            "    if typing.TYPE_CHECKING:\n        from shop.more import glue\n"
            "    else:\n        from shop.more import split\n"
        ),
        "tools.py": TOOLS,
        "more.py": MORE,
    }
    found = closure(tmp_path, files)
    assert names(found) == {"more:split"}
    assert "shop.tools" not in found.modules


def test_importing_in_a_circle_ends(tmp_path: Path) -> None:
    files = {
        "stage.py": "from shop.a import f\nf()",
        "a.py": "from shop import b\ndef f(): return b.g()\ndef unused(): ...",
        "b.py": "from shop import a\ndef g(): return a.f()",
    }
    assert names(closure(tmp_path, files)) == {"a:f", "b:g"}


def test_the_effects_of_importing_count_with_those_of_packages_around(tmp_path: Path) -> None:
    files = {
        "stage.py": "from shop.deep.low import f\nf()",
        "__init__.py": "import os\nos.environ['X'] = '1'",
        "deep/__init__.py": "from shop.limits import raise_limit, other\nraise_limit(3)",
        "deep/low.py": "from shop.quiet import g\ndef f(): ...",
        "quiet.py": "import shop.loud\ndef g(): ...",
        "loud.py": "import csv\ncsv.field_size_limit(9)\nif __name__ == '__main__':\n    print()",
        "limits.py": "def raise_limit(x): ...\ndef other(): ...",
    }
    found = closure(tmp_path, files)
    # `shop` itself is shown by its full name: it has no name below `shop`.
    assert names(found) == {"shop:", "deep:", "limits:raise_limit", "deep.low:f", "loud:"}
    assert {"shop.quiet", "shop.loud", "shop.deep"} < found.modules


def test_names_of_branches_and_loops_at_the_top_level_are_definitions(tmp_path: Path) -> None:
    tools = "import sys\nif sys.platform == 'x':\n    A, [B] = 1, [2]\nelse:\n    A = B = 3\n"
    files = {"stage.py": "from shop.tools import B\nprint(B)", "tools.py": tools}
    assert names(closure(tmp_path, files)) == {"tools:", "tools:A", "tools:B"}


BEFORE = {
    "stage.py": "from shop.tools import f\nf()",
    "tools.py": (
        '"""Tools."""\nimport numpy as np\n\nclass A:\n    """An A."""\n\n    x: int = 1\n'
        '    """A field."""\n\n\ndef f():\n    return A, np.zeros(3)\n\n\n'
        "def other():\n    return 2\n"
    ),
}


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ('"""Tools."""', '"""Other tools."""\n# A comment.', True),
        ('"""An A."""', '"""Another A."""', True),
        ('"""A field."""', "", True),
        ("return A, np.zeros(3)", "return (  # both\n        A,\n        np.zeros(3)\n    )", True),
        ("return 2", "return 3", True),
        ("import numpy as np", "import os, numpy as np\nfrom shop.params import section", True),
        ("x: int = 1", "x: int = 2", False),
        ("return A, np.zeros(3)", "return A, np.zeros(4)", False),
        ("return A, np.zeros(3)", "return A, np.ones(3)", False),
        ("import numpy as np", "import torch as np", False),
        ("import numpy as np", "import numpy as np\nnp.seterr(all='raise')", False),
    ],
)
def test_meaning_changes_the_digest_and_nothing_else_does(
    old: str, new: str, is_same: bool, tmp_path: Path
) -> None:
    before = closure(tmp_path, BEFORE).digest
    assert old in BEFORE["tools.py"]
    after = closure(tmp_path, {**BEFORE, "tools.py": BEFORE["tools.py"].replace(old, new)}).digest
    assert (before == after) is is_same


def test_another_version_of_python_gives_the_same_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later one has further fields, which are empty unless its new syntax is used."""
    before = closure(tmp_path, BEFORE).digest
    for kind in (ast.FunctionDef, ast.ClassDef):
        monkeypatch.setattr(kind, "_fields", (*kind._fields, "of_a_later_version"))
        monkeypatch.setattr(kind, "of_a_later_version", [], raising=False)
    assert closure(tmp_path, BEFORE).digest == before


def test_files_beside_code_that_says_where_it_lies_count(tmp_path: Path) -> None:
    files = {
        "stage.py": "from shop.page import render\nrender()",
        "page/__init__.py": "FOLDER = __file__\ndef render(): return FOLDER",
        "page/page.j2": "a page",
        "page/parts/head.j2": "a head",
        "page/inner/__init__.py": "",
        "page/inner/own.txt": "of a package of its own",
        "aside.txt": "beside nothing that looks",
    }
    code = write(tmp_path, files)
    (tmp_path / "shop" / "page" / "parts" / "__init__.py").unlink()
    found = code.closure("shop.stage", [], {})
    texts = {name for name in names(found) if ":" not in name}
    assert texts == {"shop/page/page.j2", "shop/page/parts/head.j2"}
    (tmp_path / "shop" / "page" / "parts" / "head.j2").write_text("another head")
    assert write(tmp_path, {}).closure("shop.stage", [], {}).digest != found.digest


def test_modules_that_only_refuse_do_not_count(tmp_path: Path) -> None:
    files = {
        "stage.py": "from shop.checks.names import check\nfrom shop.tools import cut\ncheck(cut)",
        "checks/names.py": "from shop.more import glue\ndef check(x): glue(x)\nprint()",
        "tools.py": TOOLS,
        "more.py": MORE,
    }
    assert names(closure(tmp_path, files)) == {"tools:cut", "tools:SIZE"}


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("from shop.tools import *", r"stage\.py: line 1: import \* from shop\.tools hides"),
        ("import os\nimport shop.gone", r"stage\.py: line 2 imports shop\.gone, which is not"),
        ("def f():\n    from shop.gone import x", r"stage\.py: line 2 imports shop\.gone"),
        ("def f(:\n", r"stage\.py: line 1: .*; mend it"),
    ],
)
def test_code_that_cannot_be_followed_is_named(stage: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(CodeError, match=says):
        closure(tmp_path, {"stage.py": stage, "tools.py": TOOLS, "more.py": MORE})


def test_a_stage_without_a_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(CodeError, match=r"shop\.nothing: no such module below"):
        write(tmp_path, {}).closure("shop.nothing", [], {})
