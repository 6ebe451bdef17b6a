"""What ICD adds on either side: on the teacher's features query encoder, decoder and predictor; on the student's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdbench.methods.icd import losses as icd_losses
from kdbench.methods.icd.decoder import Attended, DecoderLayer, PositionEncoder, Tokens, mlp, split
from kdbench.methods.icd.instances import Instances
from kdbench.methods.icd.params import ICDParams


@dataclass(frozen=True)
class Place:
    """Where the tokens of a pyramid lie.

    Shapes: padding (N, S) bool; code (N, S, D), None without positional encoding.
    """

    padding: Tensor
    code: Tensor | None


class TeacherSide(nn.Module):
    """Queries of instances, decoded from the teacher's tokens.

    Args:
        channels: of the teacher's levels.
        width: D, of queries and values.
        described: the length of a descriptor.
    """

    def __init__(self, params: ICDParams, channels: tuple[int, ...], width: int, described: int) -> None:
        super().__init__()
        self.params = params
        self.tokens = Tokens(channels, width)
        self.encoder = mlp(described, width, width)
        self.decoder = nn.ModuleList(
            DecoderLayer(
                width,
                params.heads,
                params.dropout,
                position=PositionEncoder(width, params.project_pos) if params.use_pos else None,
                on_value=params.pos_on_value,
                feed_forward=params.layers > 0,
            )
            for _ in range(count_of(params))
        )
        self.predictor = mlp(width, width, 5)
        if params.reconstruction_weight:
            self.rebuild = nn.ModuleList(nn.Linear(width, width) for _ in range(count_of(params)))

    def forward(self, tokens: Tensor, described: Tensor, place: Place) -> list[Attended]:
        """Each decoder layer's result; a layer's queries are the output of the one before.

        Shapes: tokens (N, S, D), described (N, K, C).
        """
        query, found = self.encoder(described), []
        for layer in self.decoder:
            found.append(layer(query, tokens, place.code, place.padding))
            query = found[-1].output
        return found

    def predict(self, attended: Attended) -> tuple[Tensor, Tensor]:
        """Existence logit (N, K), and distances to left, top, right, bottom (N, K, 4) in shares of the image."""
        predicted = self.predictor(attended.output).float()
        return predicted[..., 0], predicted[..., 1:].sigmoid()

    def tasks(self, decoded: Sequence[Attended], tokens: Tensor, instances: Instances) -> dict[str, Tensor]:
        """The weighted terms of the auxiliary tasks."""
        existing, sides = zip(*(self.predict(layer) for layer in decoded), strict=True)
        told = [icd_losses.identification(logit, instances.real, instances.valid) for logit in existing]
        located = [icd_losses.localisation(side, instances.sides, instances.real) for side in sides]
        terms = {
            "loss_identification": torch.stack(told).sum() * self.params.conf_weight,
            "loss_localisation": torch.stack(located).sum(),
        }
        if self.params.reconstruction_weight:
            rebuilt = [linear(layer.value.flatten(2)) for linear, layer in zip(self.rebuild, decoded, strict=True)]
            errors = [icd_losses.reconstruction(one, tokens) for one in rebuilt]
            terms["loss_reconstruction"] = torch.stack(errors).mean() * self.params.reconstruction_weight
        return terms


class StudentSide(nn.Module):
    """The values that the student's tokens give each decoder layer; nothing else of a decoder is needed."""

    def __init__(self, params: ICDParams, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.heads = params.heads
        self.tokens = Tokens(channels, width)
        self.values = nn.ModuleList(_value(width) for _ in range(count_of(params)))
        if params.pos_on_value:
            self.positions = nn.ModuleList(PositionEncoder(width, params.project_pos) for _ in self.values)

    def forward(self, levels: tuple[Tensor, ...], place: Place) -> list[Tensor]:
        """Per decoder layer (N, S, M, d)."""
        tokens = self.tokens(levels)
        inputs = [tokens] * len(self.values)
        if hasattr(self, "positions"):
            inputs = [position(tokens, place.code) for position in self.positions]
        return [split(value(one), self.heads) for value, one in zip(self.values, inputs, strict=True)]


def count_of(params: ICDParams) -> int:
    """Decoder layers, of which `layers: 0` has one that is attention alone."""
    return max(1, params.layers)


def _value(width: int) -> nn.Linear:
    """A value projection, with the first values of the third of `Attention`'s matrix that it corresponds to."""
    linear = nn.Linear(width, width)
    bound = math.sqrt(6 / (4 * width))
    nn.init.uniform_(linear.weight, -bound, bound)
    nn.init.zeros_(linear.bias)
    return linear
