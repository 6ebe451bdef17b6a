"""DeFeat's parameters, and which of its terms they switch on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from kdbench.methods.base import MethodParams, Proposals
from kdbench.methods.defeat.regions import IgnoreMode
from kdbench.methods.defeat.roi_kl import Group
from kdbench.methods.shared.losses import Norm
from kdbench.methods.shared.schedules import Decay, DecayUnit

HeadRegion = Literal["decouple", "fore", "back", "all", "fore_correct", "correct"]


class DeFeatParams(MethodParams):
    """A term with weight 0 is not computed and has no adaptation layers."""

    neck_fg_weight: float = Field(3.0, ge=0, description="FPN maps, cells of objects")
    neck_bg_weight: float = Field(12.0, ge=0, description="FPN maps, background cells")
    backbone_fg_weight: float = Field(0.0, ge=0, description="backbone stages, cells of objects")
    backbone_bg_weight: float = Field(0.0, ge=0, description="backbone stages, background cells")
    backbone_stages: tuple[int, ...] = Field((2, 3), description="stages of the backbone terms, 0 = C2")
    head_fg_weight: float = Field(0.0, ge=0, description="RoI class logits, positive proposals; two-stage only")
    head_bg_weight: float = Field(0.0, ge=0, description="RoI class logits, negative proposals; two-stage only")
    head_fg_temperature: float = Field(1.0, gt=0, description="softens the logits of positive proposals")
    head_bg_temperature: float = Field(1.0, gt=0, description="softens the logits of negative proposals")
    head_proposals: Proposals = Field("teacher", description="whose proposals both heads classify")
    head_region: HeadRegion = Field("decouple", description="which proposals count; one group takes the fg weight")
    decouple: bool = Field(True, description="split maps by the mask; if not, only the masked cells count")
    norm: Norm = Field("element", description="whether a map's mean counts its channels (element) or not (position)")
    mask: Literal["gt", "one"] = Field("gt", description="foreground: cells of the boxes, or every cell")
    mask_margin: int = Field(0, ge=0, description="cells by which a box's mask is widened on each side")
    adapt: bool = Field(True, description="3x3 convolutions on the student's maps; needed if the widths differ")
    adapt_init_std: float = Field(1e-4, ge=0, description="spread of their initial weights")
    decay: Decay = Field("none", description="how all terms change over the training")
    decay_unit: DecayUnit = Field("epoch", description="how often the decay takes a step")
    warmup_iters: int = Field(0, ge=0, description="iterations at the start with all terms times 0")
    ignore_mode: IgnoreMode = Field("background", description="cells of ignored boxes: background, or left out")
    exclude_padding: bool = Field(False, description="leave out cells in the padding")

    @field_validator("backbone_stages")
    @classmethod
    def _stages(cls, stages: tuple[int, ...]) -> tuple[int, ...]:
        if not stages or len(set(stages)) != len(stages) or min(stages) < 0:
            raise ValueError(f"give one or more different stages counted from 0 = C2, e.g. [2, 3]; not {list(stages)}")
        return stages

    @property
    def neck(self) -> dict[str, float]:
        """Side -> weight of the neck terms that are on."""
        return self._sides(self.neck_fg_weight, self.neck_bg_weight)

    @property
    def backbone(self) -> dict[str, float]:
        """Side -> weight of the backbone terms that are on."""
        return self._sides(self.backbone_fg_weight, self.backbone_bg_weight)

    @property
    def head(self) -> dict[Group, tuple[float, float]]:
        """Group of proposals -> weight and temperature of the head terms that are on."""
        fg = (self.head_fg_weight, self.head_fg_temperature)
        bg = (self.head_bg_weight, self.head_bg_temperature)
        groups: dict[HeadRegion, dict[Group, tuple[float, float]]] = {
            "decouple": {"fg": fg, "bg": bg},
            "fore": {"fg": fg},
            "back": {"bg": bg},
            "all": {"all": fg},
            "fore_correct": {"fg_correct": fg},
            "correct": {"correct": fg},
        }
        return {group: values for group, values in groups[self.head_region].items() if values[0]}

    def _sides(self, fg: float, bg: float) -> dict[str, float]:
        sides = {"fg": fg, "bg": bg} if self.decouple else {"fg": fg}
        return {side: weight for side, weight in sides.items() if weight}
