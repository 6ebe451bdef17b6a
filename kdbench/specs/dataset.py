"""What a dataset is: its kind, where its files lie under the data root, and its three splits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from kdbench.specs.base import Spec

SPLITS = ("train", "search", "report")
NEEDED = {"shapes": "size", "coco": "annotations", "voc": "image_sets", "crowdhuman": "annotations"}
"""Which key of a split says where its images are, by kind."""
PERSON = ("person",)
"""The classes of crowdhuman."""


class SplitSpec(Spec):
    """Where one split comes from: files of its own, or a seeded cut from the train split.

    Exactly one of `annotations` (coco: a JSON file, crowdhuman: an odgt file, relative to the data root),
    `image_sets` (voc: names of lists, as `FOLDER/NAME` or `NAME`), `size` (shapes: number of images to generate) or
    `cut` (a share 0..1, or a number of images, taken out of train) is given. `images` is the image folder of
    coco and crowdhuman, relative to the data root. `limit` keeps a seeded draw of so many of the split's images.
    """

    annotations: str | None = None
    images: str | None = None
    image_sets: tuple[str, ...] | None = None
    size: int | None = Field(None, ge=1)
    cut: float | None = Field(None, gt=0)
    limit: int | None = Field(None, ge=1)

    @model_serializer(mode="wrap")
    def _without_an_unused_limit(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes from before there were limits keep their identity."""
        content: dict[str, Any] = write(self)
        if content["limit"] is None:
            del content["limit"]
        return content

    @model_validator(mode="after")
    def _one_source(self) -> SplitSpec:
        given = [k for k in ("annotations", "image_sets", "size", "cut") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(
                "a split needs exactly one of annotations, image_sets, size, cut"
                + (f"; it has {', '.join(given)}" if given else "")
            )
        return self


class DatasetSpec(Spec):
    """A dataset with its splits. The data root is no part of it: it differs between machines."""

    kind: Literal["shapes", "coco", "voc", "crowdhuman"]
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    classes: tuple[str, ...] | None = Field(
        None, description="null: every class of train; coco: by category id, voc: by name"
    )
    train: SplitSpec
    search: SplitSpec
    report: SplitSpec
    repeat: int = Field(1, ge=1, description="how often train is repeated in one epoch")
    cut_seed: int = 0
    image_size: tuple[int, int] | None = Field(None, description="shapes: height, width in pixels")
    seed: int = Field(0, description="shapes: seed of the generator")
    masks: bool = Field(False, description="instance masks are loaded and used")
    boxes: Literal["full", "visible"] = Field("full", description="crowdhuman: whole bodies, or what is seen of them")

    @model_validator(mode="after")
    def _splits_fit_the_kind(self) -> DatasetSpec:
        needed = NEEDED[self.kind]
        for name in SPLITS:
            split: SplitSpec = getattr(self, name)
            if getattr(split, needed) is None and (split.cut is None or name == "train"):
                raise ValueError(f"split {name} of a {self.kind} dataset needs '{needed}'")
        if self.kind == "shapes" and self.image_size is None:
            raise ValueError("a shapes dataset needs 'image_size'")
        if self.kind == "shapes" and self.image_size is not None and min(self.image_size) < 32:
            raise ValueError("'image_size' needs 32 pixels or more a side: mmdet leaves smaller images out of training")
        if self.kind == "crowdhuman" and self.classes not in (None, PERSON):
            raise ValueError("a crowdhuman dataset has one class; leave 'classes' out, or give [person]")
        if self.kind != "crowdhuman" and self.boxes != "full":
            raise ValueError(f"'boxes' is of crowdhuman datasets; leave it out for a {self.kind} dataset")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("'classes' names a class twice; name each once")
        return self
