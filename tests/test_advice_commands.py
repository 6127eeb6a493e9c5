"""Every fix that names an option or a command is brought about, and what it says is done as it is printed.

`SITUATIONS` has one for each such text of the package (`advice_texts` finds them in its syntax): a new text
without one fails. Prose is held in golden/advice.txt, so that a new one is read in review.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from advice_texts import fixes, is_command
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy, write_weights
from network_files import dense, wired, write
from report_samples import write_keras as small
from safetensors.numpy import save_file
from test_advice import architectures, classes, gated, misfit, new_head, one_of_two, surplus
from test_formats_computed import CASES
from test_formats_onnx_quantised import ONE, plain, quantised
from test_formats_torch_foreign import BYTES, OTHER, WEIGHTS
from test_matching_words import HERE, THERE, words_file
from torch_files import zip_file

import weightbridge as wb
from weightbridge.cli import main
from weightbridge.errors import PlanError, RunError, UsageError, WeightbridgeError

GOLDEN = Path(__file__).parent / "golden" / "advice.txt"
OPTION = re.compile(r"(--[a-z][a-z-]*)(?: ('[^']*'|[^\s,;]+))?")


class Cli:
    """A folder with two models of one shape, and commands run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        small(folder / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
        small(folder / "b.keras", (4, 3, 2), ("first", "second"), seed=2)

    def __call__(self, *arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = self.capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    def findings(self, *arguments: object) -> list[dict[str, Any]]:
        _, text = self(*arguments, "--report", "json")
        found: list[dict[str, Any]] = json.loads(text[text.index("{") : text.rindex("}") + 1])["findings"]
        return found

    def said(self, code: str, *arguments: object) -> str:
        """The fix of the first finding of a code."""
        return str(next(found["fix"] for found in self.findings(*arguments) if found["code"] == code))

    def ends(self, code: str, option: str, *arguments: object) -> str:
        """The fix of a finding; its option, given as it is printed, ends all findings of the code."""
        fix = self.said(code, *arguments)
        words = [
            shlex.split(word)
            for word, value in OPTION.findall(fix.partition(", or --map")[0])
            for word in [f"{word} {value}"]
        ]
        given = [part for words_ in words if words_[0] == option for part in words_]
        given = given if option in ("--map", "--fresh", "--unused", "--source-arg") else [option]
        left = [found for found in self.findings(*arguments, *given) if found["code"] == code]
        assert [found["fix"] for found in left].count(fix) == 0
        return fix


Situation = Callable[[Cli], str]


def refused(cli: Cli, *arguments: object, code: int = 2) -> str:
    ended, text = cli(*arguments)
    assert ended == code, text
    return text


def overwrite_output(cli: Cli) -> str:
    command = ("transfer", "a.keras", "b.keras", "o.keras", "--no-verify")
    assert cli(*command)[0] == 0
    text = refused(cli, *command)
    assert cli(*command, "--overwrite")[0] == 0
    return text


def overwrite_plan(cli: Cli) -> str:
    command = ("plan", "a.keras", "b.keras", "p.json")
    assert cli(*command)[0] == 0
    text = refused(cli, *command)
    assert cli(*command, "--overwrite")[0] == 0
    return text


def full_disk(cli: Cli) -> str:
    run = [sys.executable, "-c", "from weightbridge.cli import main; main()", "check", "a.keras", "b.keras"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(run, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 5
        other = subprocess.run([*run, "--report", "text=r.txt"], stdout=full, check=False)
    assert other.returncode == 0
    assert (cli.folder / "r.txt").read_text().startswith("PASS check")
    return done.stderr


def rules_folder(*command: str) -> Situation:
    def situation(cli: Cli) -> str:
        (cli.folder / "mine").mkdir()
        text = refused(cli, *command, "--rules", "nowhere")
        rule = next((Path(wb.__file__).parents[1] / "rules" / "names").glob("*.toml"))
        (cli.folder / "mine" / rule.name).write_text(rule.read_text())
        assert "nowhere" not in cli(*command, "--rules", "mine")[1]
        return text

    return situation


def architecture_too(cli: Cli) -> str:
    write_weights(cli.folder / "w.weights.h5", {"layers/dense": ("a", (numbers(4, 3), numbers(3)))})
    write_keras(
        cli.folder / "m.keras",
        sequential(source("x", [4]), layer("Dense", "a", units=3)),
        {"layers/dense": ("a", (numbers(4, 3), numbers(3)))},
    )
    text = refused(cli, "convert", "w.weights.h5", "o.keras", "--no-verify", code=4)
    done, said = cli("convert", "w.weights.h5", "o.keras", "--architecture", "m.keras", "--no-verify")
    assert done == 0, said
    return text


def another_architecture(cli: Cli) -> str:
    right = architecture_too(cli)
    assert right
    arguments = ("convert", "w.weights.h5", "p.keras", "--no-verify", "--architecture")
    found = {one["code"]: one["fix"] for one in cli.findings(*arguments, "a.keras")}
    assert cli(*arguments, "m.keras")[0] == 0
    return found["WB105"]


def without_input_shape(cli: Cli) -> str:
    weights = {"layers/dense": ("a", (numbers(4, 3), numbers(3)))}
    layers = (source("x", [4]), layer("Dense", "a", units=3))
    write_keras(cli.folder / "m.keras", sequential(*layers), weights)
    text = refused(cli, "convert", "m.keras", "o.keras", "--no-verify", "--input-shape", "1,4")
    assert cli("convert", "m.keras", "o.keras", "--no-verify")[0] == 0
    return text


def transferred_instead(cli: Cli) -> str:
    save_file({"first.weight": numbers(4, 3)}, "s.safetensors")
    text = refused(cli, "convert", "s.safetensors", "o.keras", "--no-verify", code=4)
    assert cli("transfer", "s.safetensors", "s.safetensors", "o.safetensors", "--no-verify")[0] == 0
    return text


def plan_to_edit(cli: Cli) -> str:
    assert cli("plan", "a.keras", "b.keras", "p.json")[0] == 0
    command = ("check", "a.keras", "b.keras", "--adapt", "none")
    text = refused(cli, *command, "--plan", "p.json")
    assert cli(*command)[0] == 0
    return text


def unrun(cli: Cli) -> str:
    command = ("transfer", "a.keras", "b.keras", "o.keras", "--no-verify")
    text = refused(cli, *command, "--evidence", "full")
    assert cli(*command)[0] == 0
    return text


def named_by_inspect(cli: Cli) -> str:
    text = refused(cli, "check", "a.keras", "b.keras", "--map", "frist=second")
    assert "\nfirst " in cli("inspect", "a.keras")[1]
    assert cli("check", "a.keras", "b.keras", "--map", "first=first")[0] == 0
    return text


def new_plan(edit: Callable[[dict[str, Any]], Any]) -> Situation:
    def situation(cli: Cli) -> str:
        assert cli("plan", "a.keras", "b.keras", "p.json")[0] == 0
        path = cli.folder / "p.json"
        plan = json.loads(path.read_text())
        edit(plan)
        path.write_text(json.dumps(plan))
        text = refused(cli, "check", "a.keras", "b.keras", "--plan", "p.json")
        assert cli("plan", "a.keras", "b.keras", "new.json")[0] == 0
        assert cli("check", "a.keras", "b.keras", "--plan", "new.json")[0] == 0
        return text

    return situation


def used_and_declared(cli: Cli) -> str:
    command = ("check", "a.keras", "b.keras", "--unused", "first/kernel")
    text = refused(cli, *command)
    assert cli(*command[:-2])[0] == 0
    fresh = shlex.split(re.findall(r"--fresh '[^']*'", text)[-1])
    assert cli(*command, *fresh)[0] == 0
    return text


def spent_twice(cli: Cli) -> str:
    """One table of the source, which would fill an input's and an output's table of the target."""
    save_file({"a.weight": numbers(4, 4), "a.bias": numbers(4)}, "s.safetensors")
    shapes = {"weight": (4, 4), "bias": (4,)}
    save_file({f"{n}.{p}": numbers(*s) for n in "ab" for p, s in shapes.items()}, "t.safetensors")
    from weightbridge.plan import Step
    from weightbridge.planning.ledger import without_second_uses

    graphs = [wb.read(path) for path in ("s.safetensors", "t.safetensors")]
    steps = {
        name: Step(name, ("a.weight",), "copy", "bitwise", (4, 4), 16, confidence=0.9, evidence=("shape",))
        for name in ("a.weight", "b.weight")
    }
    _, (said,) = without_second_uses(*graphs, steps)
    (pair,) = re.findall(r"--map '([^']*)'", said.fix)
    theirs, _, ours = pair.partition("=")
    plan = wb.plan("s.safetensors", "t.safetensors", map={theirs: ours}, fresh="b.*")
    assert next(step.sources for step in plan.steps if step.target == ours) == (theirs,)
    return said.fix


def json_report(cli: Cli) -> str:
    (cli.folder / "no.json").write_text("{}")
    text = refused(cli, "report", "no.json")
    assert cli("check", "a.keras", "b.keras", "--report", "json=r.json")[0] == 0
    assert cli("report", "r.json")[0] == 0
    return text


def codes_by_rules(cli: Cli) -> str:
    (cli.folder / "p.toml").write_text('[severity]\nWB9999 = "error"\n')
    text = refused(cli, "check", "a.keras", "b.keras", "--policy", "p.toml")
    code = re.findall(r"^(WB203)\b", cli("rules", "list")[1], re.MULTILINE)[0]
    (cli.folder / "p.toml").write_text(f'[severity]\n{code} = "error"\n')
    assert cli("check", "a.keras", "b.keras", "--policy", "p.toml")[0] == 0
    return text


def of_pair(make: Callable[[Path], tuple[Path, Path]], code: str, option: str, *more: str) -> Situation:
    return lambda cli: cli.ends(code, option, "check", *make(cli.folder), *more)


def bracketed(folder: Path) -> tuple[Path, Path]:
    """A name with signs of globs, which is said for its layer alone."""
    theirs, ours = one_of_two(folder)
    theirs.write_text(theirs.read_text().replace('"p"', '"p[1]"'))
    return theirs, ours


def called_twice(folder: Path, *, source_shares: bool) -> tuple[Path, Path]:
    """A layer that one side calls twice, where the other has two of its kind."""
    twice = wired(
        source("x", [4]), dense("a", 4), layer("ReLU", "r"), dense("z", 4), a=("x",), r=("a",), z=("r",)
    )
    shared = json.loads(json.dumps(twice))
    nodes = shared["config"]["layers"]
    second = next(one for one in nodes if one["name"] == "z")
    first = next(one for one in nodes if one["name"] == "a")
    first["inbound_nodes"] += second["inbound_nodes"]
    nodes.remove(second)
    shared["config"]["output_layers"] = [["a", 1, 0]]
    sides = (shared, twice) if source_shares else (twice, shared)
    return write(folder, "source", sides[0]), write(folder, "target", sides[1])


def one_table_twice(cli: Cli) -> str:
    save_file({"encoder.embed_tokens.weight": numbers(50, 8)}, "s.safetensors")
    target = {f"{side}_token_embedding.embeddings": numbers(50, 8) for side in ("encoder", "decoder")}
    save_file(target, "t.safetensors")
    return cli.ends("WB211", "--fresh", "check", "s.safetensors", "t.safetensors")


def head_declared(cli: Cli) -> str:
    pair = classes(cli.folder)
    fix = cli.said("WB303", "check", *pair)
    option = shlex.split(re.findall(r"--fresh '[^']*'", fix)[0])
    assert "WB202" not in {found["code"] for found in cli.findings("check", *pair, *option)}
    return fix


def floats_wanted(cli: Cli) -> str:
    pair = quantised(cli.folder / "q.onnx", ONE, None, 1), plain(cli.folder / "t.onnx")
    return cli.ends("WB109", "--dequantize", "check", *pair)


def another_copy(cli: Cli) -> str:
    path = zip_file(cli.folder / "m.pt", {"model": WEIGHTS, "ema": OTHER}, BYTES)
    fix = cli.said("WB108", "inspect", path)
    option = shlex.split(re.findall(r"--source-arg \S+", fix)[0])
    assert cli("inspect", path, *option)[0] == 0
    read = wb.read(path, source_arguments=dict([option[1].split("=")]))
    assert float(read.tensors[0].load().flat[0]) == 4
    return fix


def alpha_told(cli: Cli) -> str:
    arrays, _, _ = CASES["LoRA"]
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, "s.safetensors")
    fix = cli.said("WB109", "inspect", "s.safetensors")
    assert "--source-arg lora_alpha=ALPHA" in fix
    codes = [f["code"] for f in cli.findings("inspect", "s.safetensors", "--source-arg", "lora_alpha=16")]
    assert "WB109" not in codes
    return fix


def words_mapped(cli: Cli) -> str:
    pair = [words_file(cli.folder / f"{n}.keras", words) for n, words in (("s", HERE), ("t", THERE))]
    return cli.ends("WB404", "--map-words", "check", *pair)


def answered(cli: Cli) -> str:
    pair = gated(cli.folder)
    fix = cli.said("WB204", "check", *pair)
    assert cli("plan", *pair, "p.json")[0] == 0
    plan = json.loads(Path("p.json").read_text())
    for question in plan["questions"]:
        question["answer"] = "a"
    Path("p.json").write_text(json.dumps(plan))
    assert not [f for f in cli.findings("check", *pair, "--plan", "p.json") if f["code"] == "WB204"]
    cli.ends("WB204", "--map", "check", *pair)
    return fix


def norm_with_kernel(cli: Cli) -> str:
    from test_refolded import pair, replaced, transferred

    source_path, target, _ = pair(cli.folder, has_bias=False, has_norm=False)
    with pytest.raises(PlanError) as raised:
        transferred((source_path, target), lambda steps: replaced(steps["conv1.weight"], "conv1", "conv9"))
    wb.plan(source_path, target, map={"conv9": "conv1"})
    return str(raised.value)


def by_adapting(cli: Cli) -> str:
    pair = architectures(cli.folder)
    fix = cli.said("WB309", "check", *pair)
    option = re.findall(r"--adapt weights", fix)[0].split()
    assert "WB309" not in {found["code"] for found in cli.findings("check", *pair, *option)}
    return fix


def adapters_on(cli: Cli) -> str:
    pair = misfit(cli.folder)
    fix = cli.said("WB201", "check", *pair, "--adapt", "none")
    assert fix.startswith("leave out --adapt none")
    assert "WB201" not in {found["code"] for found in cli.findings("check", *pair)}
    return cli.ends("WB201", "--fresh", "check", *pair, "--adapt", "none")


def module(cli: Cli, body: str) -> str:
    name = f"mine_{abs(hash(body)) % 10**8}"
    (cli.folder / f"{name}.py").write_text(body)
    return f"py:{name}:build"


DENSE = "import keras\ndef build({}):\n    i = keras.Input((4,), name='x')\n    {}\n"


def arguments_given(cli: Cli) -> str:
    code = DENSE.format("n", "return keras.Model(i, keras.layers.Dense(n, name='a')(i))")
    model = module(cli, code)
    text = refused(cli, "inspect", model)
    assert cli("inspect", model, "--source-arg", "n=3")[0] == 0
    return text


def layers_listed(*command: str) -> Situation:
    def situation(cli: Cli) -> str:
        text = refused(cli, *command)
        assert "\nfirst " in cli("inspect", "a.keras")[1]
        return text

    return situation


def cut_behind(cli: Cli) -> str:
    body = "a = keras.layers.Dense(3, name='a')(i)\n    b = keras.layers.Dense(3, name='b')(i)\n"
    body += "    s = keras.layers.Add(name='s')([a, b])\n"
    body += "    return keras.Model(i, keras.layers.Dense(2, name='o')(s))"
    model = module(cli, DENSE.format("", body))
    command = ("stitch", model, "a", model, "s", "o.keras")
    text = refused(cli, *command)
    assert cli(*command, "--after")[0] == 0
    return text


def calibrated(cli: Cli, command: tuple[str, ...]) -> str:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.BatchNormalization(name="n")])
    model.save(cli.folder / "n.keras")
    np.savez(cli.folder / "d.npz", x=np.eye(4))
    text = refused(cli, *command, "--calibrate", "d.npz")
    assert cli("transfer", "n.keras", "n.keras", "o.keras", "--calibrate", "d.npz")[0] == 0
    assert cli(*command)[0] == 0
    return text


def networks_to_fit(cli: Cli) -> None:
    """A small residual network, an Inception and inputs."""
    from weightbridge.formats.keras.framework import demo

    demo.save(demo.resnet((8, 8, 1), 5, seed=0, widths=(8, 12), blocks=1), cli.folder / "s.keras")
    demo.save(demo.inception((8, 8, 1), 5, seed=1), cli.folder / "t.keras")
    x = np.random.default_rng(0).standard_normal((60, 8, 8, 1)).astype("float32")
    np.savez(cli.folder / "x.npz", x=x)


def fitted_with_inputs(cli: Cli) -> str:
    networks_to_fit(cli)
    command = ("transfer", "s.keras", "t.keras", "o.keras", "--adapt", "fit")
    text = refused(cli, *command)
    assert cli(*command, "--calibrate", "x.npz", "--fail-on", "never")[0] == 0
    return text


def fitted_to_inputs_after_noise(cli: Cli) -> str:
    networks_to_fit(cli)
    command = (
        "transfer",
        "s.keras",
        "t.keras",
        "o.keras",
        "--adapt",
        "fit",
        "--no-verify",
        "--fail-on",
        "never",
    )
    code, text = cli(*command, "--calibrate", "noise", "--details")
    assert code == 0, text
    assert cli(*command, "--calibrate", "x.npz", "--overwrite")[0] == 0
    return text


def depth_left_out(cli: Cli) -> str:
    command = ("check", "a.keras", "b.keras")
    text = refused(cli, *command, "--depth", "last")
    assert cli(*command)[0] == 0
    return text


def depth_with_adapters(cli: Cli) -> str:
    from test_depth_maps import encoder

    encoder(1).save(cli.folder / "one.keras")
    encoder(2).save(cli.folder / "two.keras")
    command = ("check", "one.keras", "two.keras", "--depth", "last")
    text = refused(cli, *command, "--adapt", "none")
    assert cli(*command)[0] == 0
    return text


def converted_and_fitted(cli: Cli) -> str:
    networks_to_fit(cli)
    assert cli("convert", "s.keras", "s.onnx", "--no-verify")[0] == 0
    rest = ("t.keras", "o.keras", "--adapt", "fit", "--calibrate", "x.npz", "--fail-on", "never")
    text = refused(cli, "transfer", "s.onnx", *rest, code=4)
    assert cli("convert", "s.onnx", "converted.keras", "--no-verify")[0] == 0
    assert cli("transfer", "converted.keras", *rest)[0] == 0
    return text


def transferred_and_cut(cli: Cli) -> str:
    path = plain(cli.folder / "m.onnx")
    text = refused(cli, "features", path, "y", "o.keras", code=4)
    model = wired(source("x", [4]), dense("head", 3, use_bias=False))
    target = write(cli.folder, "t", model)
    assert cli("transfer", path, target, "full.keras", "--no-verify", "--fail-on", "never")[0] == 0
    assert cli("features", "full.keras", "head", "o.keras")[0] == 0
    return text


def cause_by_inspect(cli: Cli) -> str:
    config = sequential(source("x", [4, 2]), layer("LSTM", "a", units=3, time_major=False))
    shapes = {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    arrays = {f"a/lstm_cell/{name}": numbers(*shape) for name, shape in shapes.items()}
    path = write_legacy(cli.folder / "m.h5", {"a": arrays}, config, version="2.15.0")
    from weightbridge.formats.keras.framework.load import load

    with pytest.raises(WeightbridgeError) as raised:
        load(path)
    assert re.search("WB102 .*time_major", cli("inspect", path)[1])
    for said in (str(raised.value), cli.said("WB102", "inspect", path)):
        (printed,) = re.findall(r"weightbridge (convert \S+ NEW.keras) writes it as Keras 3 has it", said)
        new = cli.folder / "NEW.keras"
        assert cli(*printed.replace("NEW.keras", str(new)).split(), "--overwrite")[0] == 0
        assert load(new).count_params() == 72
    return str(raised.value)


def without_onnxruntime(cli: Cli) -> str:
    import onnx

    path = plain(cli.folder / "m.onnx")
    proto = onnx.load(path)
    proto.graph.node[0].op_type = "Unheard"
    onnx.save(proto, cli.folder / "odd.onnx")
    with pytest.raises(WeightbridgeError) as raised:
        wb.formats.runner(cli.folder / "odd.onnx")
    assert cli("transfer", path, path, "o.onnx", "--no-verify")[0] == 0
    return str(raised.value)


def stored_compared(cli: Cli) -> str:
    """Said of what a foreign runner refuses without a word of what to do."""
    from weightbridge.commands.proof.prove import _not_run

    _, (said,) = _not_run(RunError("it does not run"))
    assert "All 4 target tensors have an exact source" in cli("check", "a.keras", "b.keras")[1]
    return said.fix


def plan_for_freezing(cli: Cli) -> str:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="first")])
    with pytest.raises(PlanError) as raised:
        wb.freeze(model, wb.plan("a.keras", "b.keras"))
    wb.freeze(model, wb.plan(model, model))
    return str(raised.value)


def one_output_alone(cli: Cli) -> str:
    body = "a = keras.layers.Dense(3, name='a')(i)\n    b = keras.layers.Dense(2, name='b')(a)\n"
    body += "    return keras.Model(i, {})"
    both, one = (module(cli, DENSE.format("", body.format(outputs))) for outputs in ("[b, a]", "a"))
    fix = next(f["fix"] for f in cli.findings("verify", both, one) if "counterpart" in f["message"])
    assert cli("features", both, "a", "cut.keras")[0] == 0
    assert not [f for f in cli.findings("verify", "cut.keras", one) if "counterpart" in f["message"]]
    return fix


def report_of_a_transfer(cli: Cli) -> str:
    from weightbridge.keras import RequireTransfer

    assert cli("check", "a.keras", "b.keras", "--report", "json=check.json")[0] == 0
    with pytest.raises(UsageError) as raised:
        RequireTransfer("check.json")
    told = re.findall(r"--report (json=transfer\.json)", str(raised.value))
    assert cli("transfer", "a.keras", "b.keras", "o.keras", "--report", *told)[0] == 0
    RequireTransfer("transfer.json")
    return str(raised.value)


def allowed_by_name(cli: Cli) -> str:
    import keras

    from weightbridge.keras import RequireTransfer

    layers = [keras.layers.Dense(n, name=name) for n, name in ((3, "first"), (2, "second"))]
    model = keras.Sequential([keras.Input((4,)), *layers])
    report = wb.transfer("a.keras", model)
    with pytest.raises(UsageError) as raised:
        RequireTransfer(report, allow="frist").mismatch(model)
    assert "\nfirst " in cli("inspect", "a.keras")[1]
    assert RequireTransfer(report, allow="first").mismatch(model) == ""
    return str(raised.value)


def compared_until(cli: Cli) -> str:
    from weightbridge.testing import assert_equivalent

    with pytest.raises(UsageError) as raised:
        assert_equivalent("a.keras", "a.keras", until="frist")
    assert "\nfirst " in cli("inspect", "a.keras")[1]
    assert assert_equivalent("a.keras", "a.keras", until="first").ok
    return str(raised.value)


SITUATIONS: Mapping[str, Situation] = {
    "choose another OUTPUT, or say --overwrite": overwrite_output,
    "choose another name, or say --overwrite": overwrite_plan,
    "or say --report FORMAT=PATH": full_disk,
    "Give --rules a folder with .toml files": rules_folder("rules", "show", "WB1"),
    "give --rules a folder with .toml files": rules_folder("check", "a.keras", "b.keras"),
    "give the architecture too: weightbridge convert": architecture_too,
    "give --architecture the model that these weights were saved from": another_architecture,
    "weightbridge transfer moves its weights": transferred_instead,
    "edit the plan itself, or make a new one: leave out --plan": plan_to_edit,
    "leave out --no-verify, or what says how to run": unrun,
    "`weightbridge inspect MODEL` lists the names": named_by_inspect,
    "make a new plan with `weightbridge plan": new_plan(lambda plan: plan.pop("steps")),
    "mend the plan, or make a new plan": new_plan(lambda plan: plan["steps"].pop()),
    "leave it out, or add --fresh": used_and_declared,
    "say where it belongs: --map": spent_twice,
    "Give a file that --report json=PATH wrote": json_report,
    "`weightbridge rules list` names the codes": codes_by_rules,
    "or declare it: --fresh": head_declared,
    "--unused": of_pair(surplus, "WB203", "--unused"),
    "--fresh": of_pair(new_head, "WB202", "--fresh"),
    "leave out --input-shape": without_input_shape,
    "leave --depth out": depth_left_out,
    "leave out --adapt none": adapters_on,
    "or --adapt weights, which": by_adapting,
    "say --map '{}' where this is right": of_pair(bracketed, "WB204", "--map", "--adapt", "none"),
    "to keep this one apart declare it: {}": of_pair(
        lambda folder: called_twice(folder, source_shares=True), "WB211", "--fresh"
    ),
    "where the loss is meant, declare it: {}": of_pair(
        lambda folder: called_twice(folder, source_shares=False), "WB211", "--unused"
    ),
    "nothing to do where the two are tied; else declare this one: --fresh": one_table_twice,
    "where the plan is right, say {}": of_pair(one_of_two, "WB204", "--map", "--adapt", "none"),
    "--map '{}'": answered,
    "say --dequantize": floats_wanted,
    "name it: --source-arg weights=": another_copy,
    "say it with --source-arg lora_alpha=ALPHA": alpha_told,
    "with --map-words": words_mapped,
    "make a new plan with --map SOURCE=TARGET of the two layers": norm_with_kernel,
}
FRAMEWORK: Mapping[str, Situation] = {
    "Give its arguments with --source-arg or --target-arg k=v": arguments_given,
    "weightbridge inspect lists all": layers_listed("features", "a.keras", "frist", "o.keras"),
    "weightbridge inspect lists all layers": layers_listed(
        "stitch", "a.keras", "frist", "b.keras", "second", "o.keras"
    ),
    "(--after) to begin behind it": cut_behind,
    "say --calibrate D.npz, with inputs `x`, batch first": fitted_with_inputs,
    "give inputs of the source's task, without labels: --calibrate D.npz": fitted_to_inputs_after_noise,
    "leave out --adapt {}, or leave out --depth": depth_with_adapters,
    "convert it to .keras first: weightbridge convert": converted_and_fitted,
    "Transfer its weights into a Keras model (weightbridge transfer), and take that": transferred_and_cut,
    "leave out --calibrate, and give it to weightbridge transfer": partial(
        calibrated, command=("check", "n.keras", "n.keras")
    ),
    "choose an OUTPUT that ends with {}, or leave out --calibrate": partial(
        calibrated, command=("transfer", "n.keras", "n.keras", "o.weights.h5")
    ),
    "(WB102 and WB104 of weightbridge inspect name known causes)": cause_by_inspect,
    "or run without verification (--no-verify)": without_onnxruntime,
    "`weightbridge check` compares what is stored": stored_compared,
    "Make the plan for this model, with weightbridge plan or check": plan_for_freezing,
    "or cut one at the layer that is meant (weightbridge features)": one_output_alone,
    "Give that of a transfer that wrote: weightbridge transfer": report_of_a_transfer,
    "Look at what `inspect` lists": allowed_by_name,
    "`weightbridge inspect` lists the layers of a model.": compared_until,
}
# What would change this machine, and where else it is tried.
ELSEWHERE: Mapping[str, str] = {
    "pip uninstall {}": "another project's package of the name; test_packaging installs and uninstalls",
    "pip install": "test_every_extra_that_is_named_exists",
    "git lfs pull": "gets a file from a server",
    "leave --map out": "the tests of layers that are compared one by one",
    "--engine tf2onnx": "the tests of convert, where tf2onnx is installed",
    "--engine own": "the tests of convert, where tf2onnx is installed",
    "or give --input-shape 1,3,32,32": "test_convert_torch, where torch is installed",
    "model.keras makes a Keras model of it": "test_convert_torch, where torch is installed",
    "so that its runtime can run it": "test_convert_to_keras_faults has a graph that onnxruntime refuses",
    "weightbridge baseline": "test_report_baseline",
    "--reason TEXT": "test_report_baseline",
    "weightbridge joins the gates": "test_formats_keras_models reads such files",
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path, capsys)


@pytest.mark.parametrize("text", SITUATIONS)
def test_what_is_printed_helps(cli: Cli, text: str) -> None:
    assert _pattern(text).search(SITUATIONS[text](cli))


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
@pytest.mark.parametrize("text", FRAMEWORK)
def test_what_is_printed_helps_where_models_run(cli: Cli, text: str) -> None:
    assert _pattern(text).search(FRAMEWORK[text](cli))


PAIRS: Mapping[str, tuple[Callable[[Path], tuple[Path, Path]], Sequence[str]]] = {
    "a new head": (new_head, ()),
    "surplus layers": (surplus, ()),
    "another size": (misfit, ("--adapt", "none")),
    "a question": (gated, ()),
    "one source, two places": (one_of_two, ("--fail-on", "never")),
    "other classes": (classes, ()),
    "another architecture": (architectures, ()),
    "words": (lambda folder: (words_file(folder / "s.keras", HERE), words_file(folder / "t.keras", THERE)),
              ("--map-words",)),
    "quantised": (lambda folder: (quantised(folder / "q.onnx", ONE, None, 1), plain(folder / "t.onnx")),
                  ("--dequantize",)),
}  # fmt: skip


def commands_under_next(text: str) -> list[list[str]]:
    """The commands of a text report as a shell reads them."""
    after = text.partition("\nNext\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    lines = [line.strip() for line in after.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("weightbridge ")]


# a plan with questions is there to be edited, and of two errors neither has a command
NOTHING_TO_DO = {
    ("a question", "plan"), ("one source, two places", "check"), ("one source, two places", "plan"),
}  # fmt: skip


def built(path: Path) -> str:
    """A model with weights, where there is a configuration alone."""
    if path.suffix == ".json":
        import keras

        keras.models.model_from_json(path.read_text()).save(path.with_suffix(".keras"))
        return path.with_suffix(".keras").name
    return path.name


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
@pytest.mark.parametrize("command", ["check", "plan"])
@pytest.mark.parametrize("name", PAIRS)
def test_commands_under_next_do_what_they_say(cli: Cli, name: str, command: str) -> None:
    make, options = PAIRS[name]
    pair = [built(path) for path in make(cli.folder)]
    output = ["new.json"] if command == "plan" else []
    _, text = cli(command, *pair, *output, *options)
    printed = commands_under_next(text)
    assert printed or (name, command) in NOTHING_TO_DO
    for number, arguments in enumerate(printed):
        run = [*arguments, "--no-verify", "--overwrite"] if arguments[0] == "transfer" else arguments
        code, said = cli(*run)
        is_strict = "--adapt" in arguments and "none" in arguments and name == "another architecture"
        assert code == (1 if is_strict else 0), f"{number}: {arguments}\n{said}"
        for option in options:
            is_kept = option in arguments or arguments[0] == "inspect" or "plan.json" in arguments
            assert is_kept or (name == "another size" and option in ("--adapt", "none")), arguments


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_a_plan_for_an_architecture_can_be_carried_out(cli: Cli) -> None:
    """Its target is built anew for the transfer, and is the same model."""
    pair = gated(cli.folder)
    assert pair[1].suffix == ".json"
    assert cli("plan", *pair, "plan.json")[0] == 0
    assert cli("transfer", *pair, "OUT.keras", "--plan", "plan.json")[0] == 0


def test_every_fix_with_a_command_has_a_situation() -> None:
    known = (*SITUATIONS, *FRAMEWORK, *ELSEWHERE)
    told = {text: place for text, place in fixes().items() if is_command(text)}
    assert len(told) > 40
    unknown = {text: place for text, place in told.items() if not any(part in text for part in known)}
    assert unknown == {}, "bring each about in SITUATIONS, and do as it says"


def test_every_situation_is_about_a_text_that_is_there() -> None:
    texts = list(fixes())
    assert [part for part in (*SITUATIONS, *FRAMEWORK) if not any(part in text for text in texts)] == []


def test_prose_is_read_in_review() -> None:
    """UPDATE_GOLDEN=1 writes it anew: each line has to say exactly what to do, and be true."""
    prose = sorted(text for text in fixes() if not is_command(text))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text("".join(f"{text}\n" for text in prose))
    assert GOLDEN.read_text().splitlines() == prose


def test_every_extra_that_is_named_exists() -> None:
    import tomllib

    project = tomllib.loads((Path(wb.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    named = {extra for text in fixes() for extra in re.findall(r"weightbridge-toolkit\[(\w+)\]", text)}
    assert named
    assert named <= set(project["optional-dependencies"])


def _pattern(text: str) -> re.Pattern[str]:
    """A text with {} for what is filled in, found in one that is printed, whatever its first letter."""
    pattern = ".*".join(re.escape(part) for part in text.split("{}"))
    return re.compile(pattern, re.IGNORECASE)


def test_a_usage_error_says_what_to_leave_out(cli: Cli) -> None:
    with pytest.raises(UsageError, match="Leave it out"):
        wb.transfer("a.keras", object(), overwrite=True)
