"""LoRA that is not merged: W + B A alpha / r; PEFT's names, and those of adapters alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weightbridge.formats.state_dicts.computed.recipes import Parts
from weightbridge.model.tensors import Tensor

DOWN = re.compile(r"(.+)\.lora_(embedding_)?A(?:\.(?!weight$)([^.]+))?(?:\.weight)?$")
ADAPTER = re.compile(
    r"(^|[._])(lora_(up|down|A|B|embedding_A|embedding_B|magnitude_vector)|dora_scale|hada_w[12]_[ab]"
    r"|lokr_w[12](_[ab])?|oft_[rs]|ia3_l)([._]|$)"
)
BASE = ".base_layer."


@dataclass(frozen=True, slots=True)
class LowRank:
    """What is known of an adapter: its configuration file, and the alpha that the user says."""

    config: Mapping[str, Any]
    alpha: float | None

    def scaling(self, scope: str, rank: int) -> float | None:
        """alpha / r of one layer, None where alpha is not known."""
        alpha = self.alpha
        if alpha is None:
            alpha = _of_layer(self.config.get("alpha_pattern"), scope, self.config.get("lora_alpha"))
        if isinstance(alpha, bool) or not isinstance(alpha, int | float):
            return None
        return float(alpha) / (rank**0.5 if self.config.get("use_rslora") is True else rank)


def _of_layer(patterns: Any, scope: str, default: Any) -> Any:
    """The value that a layer has for itself: by its name, or the end of it."""
    own = [
        value
        for name, value in (patterns.items() if isinstance(patterns, dict) else ())
        if f".{scope}".endswith(f".{name}")
    ]
    return own[0] if own else default


def is_adapter(names: list[str]) -> bool:
    """Whether a file holds an adapter and no weights that it belongs to."""
    of_adapter = [name for name in names if ADAPTER.search(name)]
    beside = [name for name in names if name.endswith((".alpha", ".dora_scale"))]
    return bool(of_adapter) and len(set(of_adapter) | set(beside)) == len(names)


def low_rank(parts: Parts, known: LowRank) -> None:
    """The weights of all layers that have an adapter; what PEFT keeps beside them under its plain name."""
    adapters: dict[str, list[str]] = {}
    for name in parts.stored:
        match = DOWN.match(name)
        if match:
            adapters.setdefault(match[1], []).append(name)
    for scope, names in adapters.items():
        _merge(parts, known, scope, names)
    for name in tuple(parts.stored):
        if BASE in name and name not in parts.taken and name not in parts.unknown:
            parts.rename(name.replace(BASE, "."), parts.stored[name])
        if ".modules_to_save." in name:
            _saved_module(parts, name)


def _merge(parts: Parts, known: LowRank, scope: str, downs: list[str]) -> None:
    base, down = _base(parts, scope), parts.stored[downs[0]]
    up_name = _up(downs[0])
    up = parts.get(up_name)
    if base is None or up is None:
        return
    names = [name for name in parts.stored if name.startswith(f"{scope}.lora_")]
    missing = _missing(known, scope, downs, (base, down, up))
    if missing:
        parts.unknown |= dict.fromkeys((base.name, *names), missing)
        return
    magnitude = [parts.stored[name] for name in names if "magnitude_vector" in name]
    scaling = known.scaling(scope, down.shape[0])
    parameters = {"scaling": scaling, "turned": _is_turned(base, down, up, known)}
    parts.make(f"{scope}.weight", "low-rank", parameters, base, down, up, *magnitude[:1])


def _missing(known: LowRank, scope: str, downs: list[str], tensors: tuple[Tensor, Tensor, Tensor]) -> str:
    """What is not known of a layer's adapter, "" where nothing is missing."""
    if len(downs) > 1:
        return f"{len(downs)} adapters, of which the file does not say which is active"
    if not _fits(*tensors):
        return "an adapter of this shape"
    rank = tensors[1].shape[0]
    return "LoRA's alpha" if known.scaling(scope, rank) is None else ""


def _base(parts: Parts, scope: str) -> Tensor | None:
    return parts.get(f"{scope}{BASE}weight") or parts.get(f"{scope}.weight")


def _up(down: str) -> str:
    head, _, tail = down.rpartition("lora_")
    return f"{head}lora_" + re.sub(r"A(?=\.|$)", "B", tail, count=1)


def _fits(base: Tensor, down: Tensor, up: Tensor) -> bool:
    """Whether B A has as many numbers as W, with its outputs or, turned, its inputs first."""
    if not (base.size and down.size):
        return False
    rank = down.shape[0]
    outputs = up.shape[0] if up.shape else 0
    is_product = up.size == outputs * rank and outputs * (down.size // rank) == base.size
    first, last = base.shape[0], base.shape[-1]
    return is_product and (outputs == first or (len(base.shape) == 2 and outputs == last))


def _is_turned(base: Tensor, down: Tensor, up: Tensor, known: LowRank) -> bool:
    """Whether W is (in, out): a table of an Embedding, GPT-2's Conv1D."""
    if len(base.shape) != 2:
        return False
    if up.shape[0] != base.shape[0]:
        return True
    is_square = base.shape[0] == base.shape[1]
    is_told = "embedding" in down.name.rpartition("lora_")[2] or known.config.get("fan_in_fan_out") is True
    return is_square and is_told


def _saved_module(parts: Parts, name: str) -> None:
    """A layer that was trained as a whole beside an adapter stands for the original one."""
    scope, _, behind = name.partition(".modules_to_save.")
    role = behind.partition(".")[2]
    original = f"{scope}.original_module.{role}"
    if role and parts.get(name) is not None:
        parts.rename(f"{scope}.{role}", parts.stored[name])
        if original in parts.stored:
            parts.spare.add(original)
