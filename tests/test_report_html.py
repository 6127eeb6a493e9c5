"""The report as a page: one file, whole without scripts, and nothing in a name gets out of its place."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import compact_graphs as graphs
import pytest
from report_samples import HOSTILE, graph, hostile, layer, sample, step, write_keras

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import finding
from weightbridge.plan import Plan
from weightbridge.report.pairs import PairsReport
from weightbridge.report.render.html import render
from weightbridge.report.render.renderers import renderer
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification

ROOT = Path(__file__).resolve().parent.parent
VOID = {"meta", "br", "wbr", "input"}


class Strict(HTMLParser):
    """Notes every tag, and fails where one is closed that is not the last that was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute twice"
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def parsed(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def reports() -> Iterator[Report]:
    yield sample()
    yield sample("check")
    yield sample("verify")
    yield hostile()
    yield Report("check", "error", findings=(finding("WB904", "the file ends too early", source="a.h5"),))
    yield replace(
        sample("inspect"), plan=None, graph=graph((layer("a"), layer("b", "Dense")), [["a", "b", 0]])
    )


@pytest.mark.parametrize("report", list(reports()), ids=lambda report: f"{report.command}-{report.verdict}")
def test_a_page_is_one_file_that_asks_the_network_for_nothing(report: Report) -> None:
    page = render(report.to_json())
    for tag, attributes in parsed(page).seen:
        assert tag not in ("link", "iframe", "img", "object", "embed", "image", "use")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    written = "".join(re.findall(r"<(?:style|script)>.*?</(?:style|script)>", page, flags=re.DOTALL))
    written += "".join(re.findall(r'style="[^"]*"', page))
    for asked in ("http:", "https:", "src=", "@import", "url(", "fetch(", "import("):
        assert asked not in written
    policy = next(one for tag, one in parsed(page).seen if "content" in one)["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
    assert page == render(json.loads(json.dumps(report.to_json())))


def test_every_tag_of_the_page_is_one_of_its_own() -> None:
    page = parsed(render(hostile().to_json()))
    assert [tag for tag, _ in page.seen].count("script") == 1
    assert not [name for _, attributes in page.seen for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202e" in page.text


@pytest.mark.parametrize(
    "name", ['"><img onerror=alert(1)>', "</title><script>", "</style>", "{{ 7*7 }}", "a" * 10_000, HOSTILE]
)
def test_a_name_stays_a_name_wherever_it_stands(name: str) -> None:
    data = hostile().to_json()
    text = json.dumps(data).replace(json.dumps(HOSTILE)[1:-1], json.dumps(name)[1:-1])
    page = parsed(render(json.loads(text)))
    assert {"img", "image"} & {tag for tag, _ in page.seen} == set()
    assert [tag for tag, _ in page.seen].count("script") == 1
    assert len(max(page.text.split(), key=len)) < 5000
    assert "49" not in page.text or "7*7" not in name


def test_all_of_the_report_is_in_the_text_without_the_script() -> None:
    data = sample("check").to_json()
    page = re.sub(r"<script>.*</script>", "", render(data), flags=re.DOTALL)
    text = parsed(page).text
    for one in data["steps"]:
        assert one["target"] in text
        assert one["target"] in page
    for one in data["findings"]:
        assert one["code"] in text
        assert one["message"] in text
    for one in data["unused"]:
        assert one["source"] in text
    assert "3 warnings, 1 note · exit 0" in text
    assert "weightbridge transfer resnet.onnx target.keras" in text


def test_errors_are_open_and_the_rest_is_not() -> None:
    failed = judge(replace(sample("check"), findings=(finding("WB202", "none", target="head/bias"),
                   finding("WB203", "none", source="aux.weight"))), Options())  # fmt: skip
    folds = {
        one["id"]: one
        for tag, one in parsed(render(failed.to_json())).seen
        if tag == "details" and "id" in one
    }
    assert "open" in folds["WB202"]
    assert "open" not in folds["WB203"]


def test_pairs_of_a_policy_are_one_page_the_worst_first() -> None:
    failed = replace(
        sample("check"), findings=(finding("WB202", "none", target="head/bias"),), pair="<b>bad</b>"
    )
    pairs = PairsReport(
        (replace(sample("check"), pair="good"), judge(failed, Options())), "weightbridge.toml"
    )
    page = renderer("html")(pairs.to_json())
    made = parsed(page)
    assert page.index("&lt;b&gt;bad") < page.index("good")
    assert "2 pairs of weightbridge.toml: 1 fail, 1 warn." in made.text
    names = [one["id"] for _, one in made.seen if "id" in one]
    assert len(names) == len(set(names))
    assert {
        one["href"].removeprefix("#") for _, one in made.seen if (one.get("href") or "")[:1] == "#"
    } <= set(names)
    radios = [one for tag, one in made.seen if tag == "input"]
    assert len({one["name"] for one in radios}) == 2
    assert page.count("<script>") == 1


def test_very_many_pairs_are_all_in_the_table() -> None:
    pairs = PairsReport(tuple(replace(sample("check"), pair=f"pair number {i}") for i in range(50)))
    made = parsed(renderer("html")(pairs.to_json()))
    assert all(f"pair number {i}" in made.text for i in range(50))
    assert sum(tag == "details" and "report" in (one.get("class") or "") for tag, one in made.seen) == 20


def test_the_table_can_be_narrowed_without_a_script() -> None:
    page = render(sample().to_json())
    narrowed = set(re.findall(r'id="only-(\w+)"', page))
    assert narrowed == {"exact", "adapted", "fresh", "kept", "ambiguous"}
    assert all(f".only-{share}:checked" in page for share in narrowed)


def test_very_many_findings_are_counted_and_not_all_listed() -> None:
    many = tuple(finding("WB403", f"epsilon of bn{i}", source=f"bn{i}", target=f"bn{i}") for i in range(2000))
    page = render(replace(sample(), findings=many).to_json())
    assert "2,000 places" in page
    assert "1,500 more" in page
    assert len(page) < 1_000_000


def test_a_step_for_each_tensor_of_a_large_model_has_its_row() -> None:
    steps = tuple(step(f"layer{i}/kernel", f"l.{i}.weight") for i in range(3000))
    page = render(replace(sample(), plan=Plan(steps, ())).to_json())
    assert page.count('<tr class="exact">') == 3000


def compared(ratios: Sequence[float | None], statuses: Sequence[str]) -> dict[str, Any]:
    layers = tuple(
        {"source": f"s{i}", "target": f"t{i}", "ratio_cumulative": ratio, "limit": 8.0, "status": status}
        for i, (ratio, status) in enumerate(zip(ratios, statuses, strict=True))
    )
    return replace(sample("verify"), verification=Verification("actual", (), layers, {})).to_json()


def points(page: str) -> list[tuple[str, float]]:
    """The class and the height of each point of the chart."""
    return [(c, float(y)) for c, y in re.findall(r'<circle class="(\w+)" cx="[\d.]+" cy="([\d.]+)"', page)]


def test_each_layer_is_a_point_and_the_first_that_differs_is_marked() -> None:
    page = render(compared([1.0, 2.0, 4e6, 1e5, None], ["equal", "equal", "differs", "differs", "skipped"]))
    made = points(page)
    assert [one for one, _ in made] == ["equal", "equal", "first", "after", "idle"]
    heights = [y for _, y in made]
    assert heights[2] < heights[3] < heights[1] < heights[0]
    assert "first to differ: t2" in page
    dots = {kind: path.count("M") for kind, path in re.findall(r'class="dots at-(\w+)" d="([^"]*)"', page)}
    assert dots == {"equal": 2, "first": 1, "after": 1, "idle": 1}


@pytest.mark.parametrize(
    ("ratios", "statuses"),
    [([1.0], ["equal"]), ([0.0, 1e300], ["equal", "differs"]), ([None, 1.0], ["non-finite", "equal"]),
     ([1.0] * 3000, ["equal"] * 3000)],
    ids=["one", "extreme", "non-finite", "many"],
)  # fmt: skip
def test_a_chart_of_any_layers_stays_in_its_frame(ratios: list[float | None], statuses: list[str]) -> None:
    made = points(render(compared(ratios, statuses)))
    assert len(made) == len(ratios)
    assert all(0 < y < 300 for _, y in made)
    assert ("first" in [one for one, _ in made]) == (set(statuses) != {"equal"})


def test_a_page_without_compared_layers_has_no_chart() -> None:
    assert "Error against depth" not in render(sample().to_json())


def test_each_stage_has_its_layers_with_what_they_start_from() -> None:
    page = render(graphs.report(graphs.resnet(3, 4, 6, 3), graphs.inception(11)).to_json())
    titles = re.findall(r"<summary><b>(Stage [\d/]+|The \w+)</b>", page)
    assert titles == ["Stage 1/2", "Stage 1/4", "Stage 1/8", "Stage 1/16", "Stage 1/32", "The head"]
    assert page.count('<svg class="layers"') == 11
    assert "→ conv2d_0" in page
    assert "← conv1_conv" in page
    parsed(page)


def test_a_side_without_data_flow_says_so_in_place_of_its_layers() -> None:
    resnet = graphs.resnet(3, 4, 6, 3)
    page = render(graphs.report(graphs.state_dict(resnet), resnet).to_json())
    assert "its file keeps no data flow" in page
    assert page.count('<svg class="layers"') == 6
    page = render(graphs.report(graphs.state_dict(resnet), graphs.state_dict(resnet)).to_json())
    assert '<svg class="layers"' not in page


def test_an_inspected_model_is_drawn_in_the_colours_of_its_layers() -> None:
    made = graph(
        (layer("pad", "Pad"), layer("stem", attributes={"kernel_size": [7, 7], "strides": [2, 2]}),
         layer("bn", "BatchNorm"), layer("head", "Dense")),
        [["pad", "stem", 0], ["stem", "bn", 0], ["bn", "head", 0]],
        excluded=[{"name": "adam/m", "reason": "optimizer", "size": 3}],
    )  # fmt: skip
    page = render(replace(sample("inspect"), plan=None, graph=made).to_json())
    assert 'class="layer of-convolution"' in page
    assert 'class="layer of-dense"' in page
    assert "Conv 7x7/2" in page
    assert "adam/m" in page
    assert "<h2>The match</h2>" not in page
    parsed(page)
    svg = renderer("svg")(replace(sample("inspect"), plan=None, graph=made).to_json())
    assert "Conv 7x7/2" in svg


def test_alike_blocks_are_drawn_once() -> None:
    deep = graphs.resnet(3, 8, 36, 3)
    page = render(graphs.report(deep, deep).to_json())
    assert "conv4_block2..36: the first of 35" in page
    assert len(page) < 500_000


def test_a_saved_report_gives_the_page_of_its_run(tmp_path: Path) -> None:
    write_keras(tmp_path / "a.keras", (4, 8, 2), ("one", "two"))
    write_keras(tmp_path / "b.keras", (4, 8, 3), ("one", "head"))
    run(
        "check",
        "a.keras",
        "b.keras",
        "--report",
        "json=r.json",
        "--report",
        "html=first.html",
        folder=tmp_path,
    )
    run("report", "r.json", "--report", "html=again.html", folder=tmp_path)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "again.html").read_bytes()


def test_a_check_without_a_page_does_not_load_its_library(tmp_path: Path) -> None:
    write_keras(tmp_path / "a.keras", (4, 8, 2), ("one", "two"))
    done = run("check", "a.keras", "a.keras", folder=tmp_path)
    assert not {"jinja2", "weightbridge.report.render.html", "weightbridge.views.match.bands"} & set(
        done.split()
    )
    done = run("check", "a.keras", "a.keras", "--report", "html=x.html", folder=tmp_path)
    assert {"jinja2", "weightbridge.report.render.html"} <= set(done.split())


@pytest.fixture(scope="module")
def flagship() -> Report:
    return graphs.report(graphs.resnet(3, 4, 6, 3), graphs.inception(16))


def test_a_page_is_small_and_soon_made(flagship: Report) -> None:
    data = flagship.to_json()
    render(data)
    start = time.process_time()
    page = render(data)
    assert time.process_time() - start < 2
    assert len(page.encode()) < 700_000
    assert len(render(sample("check").to_json()).encode()) < 60_000


def test_the_picture_of_the_example_is_the_one_in_the_docs(tmp_path: Path) -> None:
    models = (f"examples/models/{name}" for name in ("trained.h5", "mine.keras"))
    run("check", *models, "--report", f"svg={tmp_path / 'match.svg'}", folder=ROOT)
    assert (tmp_path / "match.svg").read_bytes() == (ROOT / "docs" / "pictures" / "example.svg").read_bytes()


def test_the_pages_of_the_docs_show_pictures_that_are_there() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / name).stat().st_size < 120_000


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MEASURE = """<script>
const wide = document.documentElement.scrollWidth;
document.title = "measured " + wide + " of " + innerWidth + " with " + getComputedStyle(document.body).color
  + " and " + document.querySelectorAll("input[type=search]").length + " fields";
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 500])
@pytest.mark.parametrize("case", ["check", "verify", "inspect", "hostile"])
def test_a_browser_shows_it_without_scrolling_sideways(
    flagship: Report, case: str, width: int, scheme: str, tmp_path: Path
) -> None:
    page = browsed(case, flagship)
    policy = r'<meta http-equiv="Content-Security-Policy"[^>]*>'  # which would refuse the measuring script
    assert re.search(policy, page)
    file = tmp_path / "page.html"
    file.write_text(re.sub(policy, "", page).replace("</body>", MEASURE))
    title = dumped(file, width, scheme)
    measured = re.search(r"measured (\d+) of (\d+) with rgb\((\d+)", title)
    assert measured is not None, title[:500]
    assert int(measured[1]) <= int(measured[2]) == width
    assert (int(measured[3]) > 128) == (scheme == "dark")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_the_policy_of_a_page_lets_its_own_script_run(flagship: Report, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    page = render(flagship.to_json())
    file.write_text(page)
    assert 'type="search"' in dumped(file, 1180, "light")
    file.write_text(page.replace('"use strict";', '"use strict"; document.title = "another script";'))
    changed = dumped(file, 1180, "light")
    assert "another script</title>" not in changed
    assert 'type="search"' not in changed


def browsed(case: str, flagship: Report) -> str:
    match case:
        case "verify":
            return render(compared([1.0] * 60 + [1e5] * 40, ["equal"] * 60 + ["differs"] * 40))
        case "inspect":
            layers = [layer(f"layer_with_a_long_name_{i}") for i in range(300)]
            edges = [[layers[i]["name"], layers[i + 1]["name"], 0] for i in range(299)]
            return render(replace(sample("inspect"), plan=None, graph=graph(layers, edges)).to_json())
        case "hostile":
            return render(json.loads(json.dumps(hostile().to_json()).replace("alert(1)", "x" * 3000)))
    return render(flagship.to_json())


def dumped(file: Path, width: int, scheme: str) -> str:
    """The document as the browser has it when it is loaded."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={file.parent / 'profile'}"]
    colors = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    command = [BROWSER, *options, colors, f"--window-size={width},1200", "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def run(*arguments: str, folder: Path) -> str:
    """What it says on standard error, with the modules that were loaded."""
    script = (
        "import sys; from weightbridge.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *arguments, "--no-progress"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stderr


def test_what_was_run_and_compared_with_nothing_is_no_comparison() -> None:
    """A fitted target equals no other model: its outputs have no outcome to be shown."""
    outputs = {"name": "out", "probe": "normal", "passed": True, "finite": True}
    healthy = replace(sample(), verification=Verification("health", (outputs,)))
    assert "Outputs compared" not in render(healthy.to_json())
    compared = {**outputs, "status": "equal", "ratio": 1.0, "limit": 8.0, "max_abs": 0.0}
    assert "Outputs compared" in render(
        replace(healthy, verification=Verification("actual", (compared,))).to_json()
    )
