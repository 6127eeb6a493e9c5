"""Nothing in a name may steer a terminal or a page."""

import pytest
from report_samples import HOSTILE

from weightbridge.report.escape import dot, html, markdown, markdown_code, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv1/kernel:0", "conv1/kernel:0"),
        ("größe 层 é", "größe 层 é"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("a\u202eb\u2066\u200b", "a\\u202eb\\u2066\\u200b"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\udc80", "\\udc80"),
        ("\U000e0041\uffff", "\\U000e0041\\uffff"),
        ("", ""),
    ],
    ids=["plain", "unicode", "terminal", "lines", "c1", "bidi", "separators", "surrogate", "unseen", "empty"],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_loses_its_middle_and_says_so() -> None:
    shown = visible("a" * 5000 + "end")
    assert len(shown) <= 1000
    assert shown.endswith("end")
    assert "5003 characters" in shown


@pytest.mark.parametrize("escape", [visible, html, markdown, markdown_code, dot], ids=lambda f: f.__name__)
def test_every_escape_gives_one_printable_line(escape: object) -> None:
    shown = escape(HOSTILE)  # type: ignore[operator]
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c`d", "a\\_b\\*c\\`d"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[a](http://b)", "\\[a\\](http\\://b)"),
        ("a|b\\|c", "a\\|b\\\\\\|c"),
        ("@user #1", "\\@&#8203;user \\#&#8203;1"),
        ("www.evil.com", "www\\.evil.com"),
        ("(3, 3, 64) -> 1e-05", "(3, 3, 64) -&gt; 1e-05"),
    ],
    ids=["emphasis", "html", "link", "cell", "mention", "autolink", "plain"],
)
def test_markdown(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_a_code_span_cannot_be_left() -> None:
    assert markdown_code("a`b|c") == "`a\\x60b\\x7cc`"
    assert markdown_code("") == ""


def test_dot_quotes_and_its_own_escapes() -> None:
    assert dot('a"b\\N') == '"a\\"b\\\\N"'


def test_html_quotes() -> None:
    assert html('<a href="x">\'&') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;"
