"""Names from a file in GitHub's Markdown: it parses as it is meant, and no name is a link or a mention."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from report_samples import HOSTILE, sample, step

from weightbridge.errors.diagnostics import finding
from weightbridge.plan import Plan, Unused
from weightbridge.report.render.comment import render as comment
from weightbridge.report.render.markdown import render as markdown
from weightbridge.report.values import ModelSummary, Report

NAMES = {
    "everything": HOSTILE,
    "mention": "@org/team and @someone",
    "reference": "see #12, org/repo#12 and GH-12",
    "mail": "someone@example.org",
    "link": "[here](https://example.org) and <https://example.org>",
    "bare link": "https://example.org and www.example.org and HTTP://example.org and ftp://example.org",
    "image": "![x](https://example.org/x.png)",
    "reference link": "[here][1]\n\n[1]: https://example.org",
    "html": "<a href=https://example.org>x</a><img src=x onerror=alert(1)><script>alert(1)</script>",
    "end of details": "</details></summary><h1>hello",
    "comment": "--> <!-- x",
    "cells": "a | b |\n|---|---|\n| c",
    "code": "`a` ``b`` ```\nfence",
    "heading": "# title\n## title\n- [ ] task\n1. one\n> quote\n---",
    "math": "$x$ $$y$$",
    "backslashes": "\\\\@x \\[a](b) \\",
    "bidi": "\u202e@x\u2066#1",
    "entity": "&#64;someone &commat;someone &lt;b&gt;",
    "footnote": "[^1] [^1]: text",
    "alert": "[!WARNING]",
    "long": "@x" * 6_000,
}
TAGS = re.compile(r"</?(details|summary|b|code)>|<br>|<!-- weightbridge:[\w./:-]* -->|<details open>")
# What GitHub turns into links in the text of a page, escapes or not, and what its parser takes in the source.
IN_TEXT = re.compile(r"(?<![\w/])@\w|#\d|\bGH-\d|[\w.+-]+@[\w-]+\.\w", re.IGNORECASE)
IN_SOURCE = re.compile(r"(?<!\\)://|(?<![\\\w])www\.", re.IGNORECASE)


def report_of(name: str) -> Report:
    """The name wherever a name from a file can stand."""
    known = sample()
    model = ModelSummary(name, "onnx", name, "ab", None, 1, 2, 8)
    steps = (step(name, name, transform=name, cost=name, runners_up=(name, name)), step("b", kind="fresh"))
    codes = ("WB203", "WB202", "WB204", "WB302", "WB403", "WB101")
    found = tuple(finding(code, f"{name} fits {name}", source=name, target=name, fix=name) for code in codes)
    plan = Plan(steps, (Unused(name, "unexplained"), Unused(f"{name}2", "optimizer")))
    asked = {"options": {"map": [[name, name]], "fresh": [name], "unused": [name]}, "output": name}
    verification = replace(known.verification, outputs=({"name": name, "probe": name, "passed": False},))
    return replace(known, source=model, target=model, plan=plan, findings=found, asked=asked,
                   verification=verification, wrote={"path": name, "bytes": 1})  # fmt: skip


def inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from inline(token.children or [])


def parsed(text: str) -> list[Token]:
    return list(inline(MarkdownIt("commonmark").enable("table").parse(text)))


RENDERERS = {"markdown": markdown, "comment": comment}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS)
def test_no_name_becomes_a_link_a_mention_or_markup(render: Any, name: str) -> None:
    text = render(report_of(name).to_json())
    assert len(text.encode()) < 60_000
    tokens = parsed(text)
    assert {token.type for token in tokens} & {"link_open", "image"} == set()
    html = "".join(token.content for token in tokens if token.type in ("html_block", "html_inline"))
    assert re.findall(r"<[^>]*>?", TAGS.sub("", html)) == []
    prose = [token for token in tokens if token.type == "text"]
    assert [token.content for token in prose if IN_TEXT.search(token.content)] == []
    sources = [re.sub(r"`[^`]*`", "", token.content) for token in tokens if token.type == "inline"]
    assert [source for source in sources if IN_SOURCE.search(source)] == []


@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS)
def test_a_name_changes_nothing_of_how_the_report_is_built(render: Any) -> None:
    """The same blocks in the same order, whatever the names are."""

    def blocks(name: str) -> list[str]:
        return [token.type for token in parsed(render(report_of(name).to_json())) if token.block]

    plain = blocks("plain")
    assert plain.count("heading_open") >= 1
    told = [key for key in NAMES if key not in ("long", "alert")]  # another command is printed for these
    assert [key for key in told if blocks(NAMES[key]) != plain] == []


@pytest.mark.parametrize("text", ["see @me", "#1", "GH-1", "a@b.org"])
def test_a_link_of_githubs_would_be_noticed(text: str) -> None:
    assert IN_TEXT.search(text)


@pytest.mark.parametrize("text", ["http://b", "www.b.org"])
def test_a_bare_link_would_be_noticed(text: str) -> None:
    assert IN_SOURCE.search(text)


@pytest.mark.parametrize("text", ["http\\://b", "www\\.b", "@\u200bme", "1 @ 2", "axis #", "GH-\u200b1"])
def test_what_is_escaped_is_none(text: str) -> None:
    assert not IN_TEXT.search(text)
    assert not IN_SOURCE.search(text)
