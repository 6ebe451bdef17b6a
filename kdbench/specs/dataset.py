"""What a dataset is: its kind, where its files lie under the data root, and its three splits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from kdbench.specs.base import Spec

SPLITS = ("train", "search", "report")
NEEDED = {
    "shapes": ("size",),
    "coco": ("annotations",),
    "voc": ("image_sets", "annotations"),
    "yolo": ("images",),
    "crowdhuman": ("annotations",),
}
"""Which key of a split says where its images are, by kind: one of these."""
PERSON = ("person",)
"""The classes of crowdhuman."""


class SplitSpec(Spec):
    """Where one split comes from: files of its own, or a seeded cut from the train split.

    Exactly one of `annotations`, `image_sets`, `size` and `cut` is given; of yolo none, its `images` say it.

    Attributes:
        annotations: relative to the data root. coco: a JSON file; crowdhuman: an odgt file; voc: a folder of XML files.
        images: the image folder, relative to the data root, of coco, crowdhuman, yolo, and voc with a folder of XML; of yolo
            also a .txt file that lists images.
        labels: yolo: the folder of label files; without it, `images` in the path of an image becomes `labels`.
        image_sets: voc: names of lists, as `FOLDER/NAME` or `NAME`.
        size: shapes: number of images to generate.
        cut: a share 0..1, or a number of images, taken out of train.
        limit: a seeded draw of so many of the split's images is kept.
    """

    annotations: str | None = None
    images: str | None = None
    labels: str | None = None
    image_sets: tuple[str, ...] | None = None
    size: int | None = Field(None, ge=1)
    cut: float | None = Field(None, gt=0)
    limit: int | None = Field(None, ge=1)

    @model_serializer(mode="wrap")
    def _without_an_unused_limit(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes from before there were limits, or label folders, keep their identity."""
        content: dict[str, Any] = write(self)
        for key in ("limit", "labels"):
            if content.get(key) is None:
                content.pop(key, None)
        return content

    @model_validator(mode="after")
    def _one_source(self) -> SplitSpec:
        given = [k for k in ("annotations", "image_sets", "size", "cut") if getattr(self, k) is not None]
        if len(given) != 1 and (given or self.images is None):
            raise ValueError(
                "a split needs exactly one of annotations, image_sets, size, cut"
                + (f"; it has {', '.join(given)}" if given else "")
            )
        return self


class DatasetSpec(Spec):
    """A dataset with its splits. The data root is no part of it: it differs between machines.

    Attributes:
        kind: in which format the files are.
        name: of the folder of prepared data.
        train: what is learnt from.
        search: what chooses among trials, and among the epochs of a trial.
        report: what the final figures are measured on.
        cut_seed: of cuts and limits.
    """

    kind: Literal["shapes", "coco", "voc", "yolo", "crowdhuman"]
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    classes: tuple[str, ...] | None = Field(
        None, description="null: every class of train; coco: by category id, voc: by name"
    )
    train: SplitSpec
    search: SplitSpec
    report: SplitSpec
    repeat: int = Field(1, ge=1, description="how often train is repeated in one epoch")
    cut_seed: int = 0
    cut_by: Literal["random", "classes"] = Field(
        "random", description="classes: a cut has its share of every class, as far as that can be"
    )
    image_size: tuple[int, int] | None = Field(None, description="shapes: height, width in pixels")
    seed: int = Field(0, description="shapes: seed of the generator")
    masks: bool = Field(False, description="instance masks are loaded and used")
    boxes: Literal["full", "visible"] = Field("full", description="crowdhuman: whole bodies, or what is seen of them")

    @model_serializer(mode="wrap")
    def _without_a_random_cut(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes from before cuts could be stratified keep their identity."""
        content: dict[str, Any] = write(self)
        if content.get("cut_by") == "random":
            del content["cut_by"]
        return content

    @model_validator(mode="after")
    def _splits_fit_the_kind(self) -> DatasetSpec:
        needed = NEEDED[self.kind]
        for name in SPLITS:
            split: SplitSpec = getattr(self, name)
            if all(getattr(split, key) is None for key in needed) and (split.cut is None or name == "train"):
                keys = " or ".join(f"'{key}'" for key in needed)
                raise ValueError(f"split {name} of a {self.kind} dataset needs {keys}")
            if split.labels is not None and self.kind != "yolo":
                raise ValueError(f"'labels' is of yolo datasets; leave it out of split {name} of a {self.kind} dataset")
            if self.kind == "yolo" and split.annotations is not None:
                raise ValueError(f"split {name} of a yolo dataset has 'images' and 'labels'; leave 'annotations' out")
        if self.kind == "yolo" and not self.classes:
            raise ValueError("a yolo dataset needs 'classes', in the order of their numbers (the names of data.yaml)")
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
