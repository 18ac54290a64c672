"""README.md and what it links to: the links lead somewhere, the code compiles, the pictures are small."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_PICTURE_BYTES = 600_000


def links(document):
    """Targets of the links beside the code."""
    text = re.sub(r"`[^`]*`", "", BLOCK.sub("", document.read_text(encoding="utf-8")))
    return [target for target in LINK.findall(text) if "://" not in target]


def anchors(document):
    """What its headings are called in an address."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} links to {link}"


def test_there_are_links_to_look_at():
    assert len(links(ROOT / "README.md")) >= 15


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_in_it_compiles(document):
    for language, code in BLOCK.findall(document.read_text(encoding="utf-8")):
        if language == "python":
            assert compile(code, str(document), "exec").co_code


def test_the_readme_is_short_enough_to_be_read():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 240
    assert not [line for line in lines if len(line) > 120 and "![" not in line]


def test_the_pictures_can_be_read_and_are_small():
    pictures = list((ROOT / "docs" / "pictures").glob("*.jpg"))
    assert len(pictures) >= 5
    assert sum(path.stat().st_size for path in (ROOT / "docs").rglob("*.jpg")) < MOST_PICTURE_BYTES
    assert all(min(cv2.imread(str(path)).shape[:2]) >= 400 for path in pictures)
