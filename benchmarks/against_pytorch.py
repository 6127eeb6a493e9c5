"""What loaders of PyTorch's world do with weights whose names or sizes differ, and what they say.

`python benchmarks/against_pytorch.py`, where torch is installed; timm, transformers and keras-hub are asked
too, where they are.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from loaders import NOTHING, Case, Values, has, outcome, said, table

import weightbridge as wb

BERTS = (("the same names", False), ("one word of the names differs", True))


def module(seed: int, classes: int = 10) -> Any:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 16, classes))


def torch_values(model: Any) -> Values:
    state = model.state_dict().items()
    return {name: value.numpy() for name, value in state if not name.endswith("num_batches_tracked")}


def torch_cases(folder: Path) -> list[Case]:
    import torch
    from safetensors.torch import save_file

    source = module(1)
    with torch.no_grad():
        for tensor in (*source.parameters(), *source.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1.0)
    state, truth = source.state_dict(), torch_values(source)
    prefixed = {f"module.encoder.{name}": value for name, value in state.items()}
    for name, values in (("same", state), ("prefixed", prefixed)):
        save_file(values, folder / f"{name}.safetensors")
    body = {name: value for name, value in truth.items() if not name.startswith("5.")}
    return [
        Case("the same names", folder / "same.safetensors", lambda: module(0), truth),
        Case("names with a prefix", folder / "prefixed.safetensors", lambda: module(0), truth),
        Case("a new head", folder / "same.safetensors", lambda: module(0, 3), body, ("5.*",), ("5.*",)),
    ]


def torch_rows(folder: Path) -> list[tuple[str, list[str]]]:
    from safetensors.torch import load_file

    rows = []
    for case in torch_cases(folder):
        loaders: list[Callable[[Any], Any]] = [
            lambda model, case=case: model.load_state_dict(load_file(case.file)),
            lambda model, case=case: _nothing(model.load_state_dict(load_file(case.file), strict=False)),
        ]
        if has("timm"):
            from timm.models import load_checkpoint

            loaders.append(
                lambda model, case=case: _nothing(load_checkpoint(model, str(case.file), strict=False))
            )
        loaders.append(lambda model, case=case: into_torch(case, model, folder))
        rows.append((case.name, [str(outcome(case, load, torch_values)) for load in loaders]))
    return rows


def _nothing(_: object) -> None:
    """What a loader returns is seen by those who look."""


def into_torch(case: Case, model: Any, folder: Path) -> wb.Report:
    """Through a file: weightbridge writes the target's own state dict with the source's values."""
    from safetensors.torch import load_file, save_file

    target, filled = folder / "target.safetensors", folder / "filled.safetensors"
    save_file(model.state_dict(), target)
    report = wb.transfer(case.file, target, filled, fresh=case.fresh, unused=case.unused, overwrite=True)
    model.load_state_dict(load_file(filled))
    return report


def bert(folder: Path, renamed: bool) -> tuple[Any, Path]:
    """A small BERT with known values, saved as transformers does; renamed: as another code base names it."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    source = BertModel(config)
    with torch.no_grad():
        for tensor in source.parameters():
            tensor.uniform_(-0.1, 0.1)
    place = folder / f"bert-{'renamed' if renamed else 'plain'}"
    source.save_pretrained(place)
    if renamed:
        state = load_file(place / "model.safetensors")
        save_file({name.replace("encoder.layer.", "encoder.blocks."): value for name, value in state.items()},
                  place / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    return source, place


def transformers_rows(folder: Path) -> list[tuple[str, list[str]]]:
    from transformers import BertConfig, BertModel

    rows = []
    for name, renamed in BERTS:
        source, place = bert(folder, renamed)
        config = BertConfig.from_pretrained(place)
        build = partial(BertModel, config)
        case = Case(name, place / "model.safetensors", build, torch_values(source))
        loaded: list[Any] = []
        theirs = outcome(
            case,
            lambda _, loaded=loaded, place=place: loaded.append(BertModel.from_pretrained(place)),
            lambda _, loaded=loaded: torch_values(loaded[-1]),
        )
        mine = outcome(case, lambda model, case=case: into_torch(case, model, folder), torch_values)
        rows.append((name, [str(theirs), str(mine)]))
    return rows


def hub_rows(folder: Path) -> list[tuple[str, list[str]]]:
    """From transformers' files into keras-hub's BertBackbone, which has a converter for them."""
    import keras_hub

    rows = []
    for name, renamed in BERTS:
        _, place = bert(folder, renamed)
        (place / "vocab.txt").write_text("\n".join(f"w{i}" for i in range(50)))
        target = keras_hub.models.BertBackbone(50, 2, 2, 32, 64)
        target.save(folder / "backbone.keras")
        with said() as heard:
            try:
                keras_hub.models.BertBackbone.from_preset(str(place))
                hub = "warns" if heard else NOTHING
            except Exception as error:  # noqa: BLE001  # whatever it raises is what is measured
                hub = f"raises {type(error).__name__}"
        report = wb.check(place / "model.safetensors", folder / "backbone.keras", fail_on="never")
        exact = sum(step.kind in ("copy", "transform") for step in report.plan.steps)
        codes = ", ".join(sorted({found.code for found in report.findings}))
        rows.append(
            (
                name,
                [
                    hub,
                    f"{exact} of {len(report.plan.steps)} have a source; {report.verdict.upper()}, {codes}",
                ],
            )
        )
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timm = ("timm load_checkpoint(strict=False)",) if has("timm") else ()
        columns = ("load_state_dict(s)", "load_state_dict(s, strict=False)", *timm, "weightbridge")
        table("PyTorch", columns, torch_rows(folder))
        if has("transformers"):
            table("transformers", ("from_pretrained(folder)", "weightbridge"), transformers_rows(folder))
        if has("transformers", "keras_hub"):
            table("keras-hub", ("from_preset(folder)", "weightbridge check"), hub_rows(folder))


if __name__ == "__main__":
    main()
