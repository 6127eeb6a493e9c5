"""What Keras's own load_weights does with weights that do not fit by name and order, and what it says.

`python benchmarks/against_keras.py`
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from loaders import Case, Values, outcome, said, table

import weightbridge as wb


def network(
    names: tuple[str, ...], classes: int = 10, head: str = "head", order: int = 1, seed: int = 0
) -> Any:
    """Convolutions of equal size one after another, two parallel ones that are added, and a head.

    order: -1 adds the parallel ones the other way round, which is the same function.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = x = layers.Input((8, 8, 3), name="image")
    for name in names[:-2]:
        x = layers.Conv2D(16, 3, padding="same", activation="relu", name=name)(x)
    both = [layers.Conv2D(16, 1, name=name)(x) for name in names[-2:]]
    x = layers.Add(name="joined")(both[::order])
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(image, layers.Dense(classes, name=head)(x))


SAME = ("stem", "body", "left", "right")
OTHER = ("entry", "middle", "near", "far")
LONGER = ("stem", "extra", "body", "left", "right")


def keras_values(model: Any) -> Values:
    return {f"{layer.name}/{w.name}": np.asarray(w) for layer in model.layers for w in layer.weights}


def keras_cases(folder: Path) -> list[Case]:
    """trained.h5 is Keras 2's format, trained.weights.h5 Keras 3's own."""
    source = network(SAME, seed=1)
    random = np.random.default_rng(0)
    source.set_weights(
        [random.normal(size=w.shape, scale=0.2).astype("float32") for w in source.get_weights()]
    )
    h5, own = folder / "trained.h5", folder / "trained.weights.h5"
    with said():
        source.save(h5)
    source.save_weights(own)
    truth = keras_values(source)
    others = dict(zip(SAME, OTHER, strict=True))
    parts = ((*key.split("/"), value) for key, value in truth.items())
    renamed = {f"{others.get(layer, layer)}/{weight}": value for layer, weight, value in parts}
    headless = {key: value for key, value in truth.items() if not key.startswith("head")}
    return [
        Case("the same names", h5, lambda: network(SAME), truth),
        Case("other names, legacy .h5", h5, lambda: network(OTHER), renamed),
        Case("other names, .weights.h5", own, lambda: network(OTHER), renamed),
        Case("a layer more in the middle, legacy .h5", h5, lambda: network(LONGER), truth, ("extra*",)),
        Case("a layer more in the middle, .weights.h5", own, lambda: network(LONGER), truth, ("extra*",)),
        Case("two branches added the other way round", own, lambda: network(SAME, order=-1), truth),
        Case("a new head", h5, lambda: network(SAME, 3, "label"), headless, ("label*",), ("head*",)),
    ]


def keras_rows(folder: Path) -> list[tuple[str, list[str]]]:
    rows = []
    for case in keras_cases(folder):
        legacy = not case.file.name.endswith(".weights.h5")
        lenient: dict[str, bool] = {"skip_mismatch": True, **({"by_name": True} if legacy else {})}
        loaders: list[Callable[[Any], Any]] = [
            lambda model, case=case: model.load_weights(case.file),
            lambda model, case=case, lenient=lenient: model.load_weights(case.file, **lenient),
            lambda model, case=case: ours(case, model),
        ]
        rows.append((case.name, [str(outcome(case, load, keras_values)) for load in loaders]))
    return rows


def ours(case: Case, model: Any) -> wb.Report:
    return wb.transfer(case.file, model, fresh=case.fresh, unused=case.unused)


def main() -> None:
    columns = ("load_weights(f)", "load_weights(f, by_name, skip_mismatch)", "weightbridge")
    with tempfile.TemporaryDirectory() as folder:
        table("Keras", columns, keras_rows(Path(folder)))


if __name__ == "__main__":
    main()
