"""convert of live torch modules to Keras: dropout at its places, and what is not trained."""

from typing import Any

import pytest

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what torch says of its exporter
torch: Any = pytest.importorskip("torch")
nn: Any = pytest.importorskip("torch.nn")


def converted(module: Any, *inputs: Any) -> Any:
    """The live Keras model; wb.convert raises where it does not compute the same."""
    return wb.convert((module, inputs), evidence="quick")


def named(model: Any, kind: str) -> list[str]:
    return [layer.name for layer in model.layers if type(layer).__name__ == kind]


def test_dropout_stands_where_the_module_has_it() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.25), nn.Linear(6, 2), nn.Dropout(0.0))
    module.train()
    model = converted(module, torch.randn(2, 4))
    assert named(model, "Dropout") == ["2"]
    assert model.get_layer("2").rate == 0.25
    assert model.get_layer("3").input is model.get_layer("2").output
    assert all(part.training for part in module.modules())


class Functional(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """switched: whether it drops in training alone; else never."""

    def __init__(self, *, switched: bool) -> None:
        super().__init__()
        self.layer, self.switched = nn.Linear(4, 6), switched

    def forward(self, x: Any) -> Any:
        return nn.functional.dropout(self.layer(x), 0.3, self.training and self.switched)


@pytest.mark.parametrize(("switched", "rates"), [(True, [0.3]), (False, [])], ids=["in training", "never"])
def test_dropout_by_a_function_is_heard_in_training(switched: bool, rates: list[float]) -> None:
    model = converted(Functional(switched=switched), torch.randn(2, 4))
    assert [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"] == rates


def test_attention_and_recurrent_layers_keep_their_dropout() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    model = converted(layer, torch.randn(2, 5, 8))
    assert [model.get_layer(name).dropout for name in named(model, "MultiHeadAttention")] == [0.2]
    assert len(named(model, "Dropout")) == 3

    class Last(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(4, 3, num_layers=2, dropout=0.4, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)[0]

    model = converted(Last(), torch.randn(2, 5, 4))
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "LSTM", "Dropout", "LSTM"]


class Scaled(nn.Module):  # type: ignore[misc]
    """A buffer that is no weight, one that is a kernel, and a parameter that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.register_buffer("blur", torch.rand(4, 1, 3, 3))
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
        self.conv.requires_grad_(False)

    def forward(self, x: Any) -> Any:
        x = nn.functional.conv2d(self.conv(x - self.mean), self.blur, groups=4)
        return self.head(x.mean((2, 3)))


def test_buffers_and_frozen_parameters_are_not_trained() -> None:
    torch.manual_seed(0)
    model = converted(Scaled(), torch.randn(2, 3, 8, 8))
    assert {weight.path.partition("/")[0] for weight in model.trainable_weights} == {"head"}
    assert len(model.non_trainable_weights) == 3


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_computed_weights_become_plain_ones_of_a_copy(norm: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(getattr(nn.utils.parametrizations, norm)(nn.Linear(4, 3)), nn.ReLU())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    model = converted(module, torch.randn(2, 4))
    assert [weight.path for weight in model.weights] == ["0/kernel", "0/bias"]
    assert len(model.trainable_weights) == 2
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


class Sentiment(nn.Module):  # type: ignore[misc]
    """The last states of both directions of the last layer, which torch gives with those of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.head, self.scale = nn.Linear(6, 2), nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Any) -> Any:
        _, (states, _) = self.rnn(x)
        return self.head(torch.cat((states[-2], states[-1]), 1)) * self.scale


def test_the_states_of_the_last_layer_and_a_parameter_that_becomes_a_number(tmp_path: Any) -> None:
    torch.manual_seed(0)
    report = wb.convert((Sentiment(), (torch.randn(2, 5, 4),)), tmp_path / "m.keras", evidence="quick")
    said = [finding.source for finding in report.findings if finding.code == "WB407"]
    assert said == ["scale"]


def test_slopes_of_channels_that_are_as_many_as_columns() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.PReLU(6))
    nn.init.normal_(module[1].weight)
    model = converted(module, torch.randn(2, 3, 8, 8))
    assert model.get_layer("1").alpha.shape == (1, 1, 6)


@pytest.mark.parametrize(
    "mask", [nn.Transformer.generate_square_subsequent_mask(5), None], ids=["causal", "data"]
)
def test_masked_attention_is_one_layer(mask: Any) -> None:
    class Masked(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Any, padding: Any = None) -> Any:
            return self.attention(x, x, x, padding, need_weights=False, attn_mask=mask)[0]

    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    model = converted(Masked(), torch.randn(2, 5, 8), *([] if mask is not None else [padding]))
    assert len(named(model, "MultiHeadAttention")) == 1
    assert not named(model, "Dense")
