"""What the papers and their repositories print: benchmarks/published, with sources and caveats, as figures in 0..1."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kdbench.errors import InputError
from kdbench.specs import resources
from kdbench.specs.base import Spec

FOLDER = "benchmarks/published"
Confidence = Literal["primary", "secondary", "re-implementation", "doubtful"]
Role = Literal["distilled", "student", "teacher"]
Figures = dict[str, Annotated[float, Field(ge=0, le=100)]]
Text = str | int | float | bool


class PublishedRow(Spec):
    """A row of a file: figures in percent, as printed.

    Attributes:
        role: whose `figures` they are: the distilled student's, the plain student's (a baseline) or the teacher's.
        setting: what else the source says of the training.
        metric: the row's headline, a key of its figures. Those of `specs.metrics` are measured by kdbench too.
        gain: the difference that the source prints, in points.
        source: keys of the file's `sources`; where it has none, the texts themselves.
    """

    id: str
    role: Role
    detector: str | None = None
    student: str | None = None
    teacher: str | None = None
    dataset: str
    setting: dict[str, Text] = {}
    metric: str
    figures: Figures = {}
    student_figures: Figures = {}
    teacher_figures: Figures = {}
    gain: float | None = None
    source: list[str] = Field(min_length=1)
    confidence: Confidence
    caveat: str | None = None


class CostClaim(Spec):
    """What a source says of the cost of training, beyond that of the student by itself.

    Attributes:
        claim: in words.
        less_than: the method that it is compared with.
        value: by how much it is lower.
        source_kind: `abstract`, `readme`, ...; `source`: where it is printed.
    """

    id: str
    claim: str
    less_than: str
    value: float = Field(ge=0, le=100)
    unit: Literal["percent"]
    source_kind: str
    source: str

    @property
    def saved(self) -> float:
        """The share in 0..1."""
        return round(self.value / 100, 8)


class PublishedFile(Spec):
    """A file of benchmarks/published: one method's rows, and what its sources claim of cost.

    `notes` and `facts` are what the sources say beside them.
    """

    version: Literal[1]
    method: str
    title: str
    sources: dict[str, str]
    notes: list[str] = []
    rows: list[PublishedRow]
    costs: list[CostClaim] = []
    facts: dict[str, Any] = {}

    @model_validator(mode="after")
    def _rows_are_whole(self) -> PublishedFile:
        ids = [*(row.id for row in self.rows), *(claim.id for claim in self.costs)]
        twice = [claim.id for claim in self.costs if ids.count(claim.id) > 1]
        if twice:
            raise ValueError(f"cost {twice[0]} is there twice; give each claim and row its own id")
        for row in self.rows:
            if ids.count(row.id) > 1:
                raise ValueError(f"row {row.id} is there twice; give each its own id")
            unknown = [name for name in row.source if self.sources and name not in self.sources]
            if unknown:
                raise ValueError(f"row {row.id}: source {unknown[0]} is not among the file's sources; add it there")
            if row.metric not in {*row.figures, *row.student_figures} and row.gain is None:
                raise ValueError(f"row {row.id}: has no figure of its metric {row.metric}; name the one that it has")
        return self


class Published(Spec):
    """One published row. Figures in 0..1 by metric.

    Attributes:
        method: of the file, whose paper or repository it is; `id` is the row's.
        setting: the row's training in words; `source`: where it is printed.
    """

    method: str
    id: str
    role: Role
    dataset: str
    detector: str | None
    student: str | None
    teacher: str | None
    setting: str
    metric: str
    figures: dict[str, float]
    student_figures: dict[str, float]
    teacher_figures: dict[str, float]
    source: str
    confidence: Confidence
    caveat: str | None

    @property
    def key(self) -> str:
        return f"{self.method}/{self.id}"

    @property
    def figure(self) -> float | None:
        """The headline; None where the source gives only a gain."""
        return self.figures.get(self.metric)

    @property
    def student_figure(self) -> float | None:
        return self.student_figures.get(self.metric)

    @property
    def teacher_figure(self) -> float | None:
        return self.teacher_figures.get(self.metric)

    @property
    def note(self) -> str | None:
        """What speaks against leaning on it, in one line; None for a primary source without a caveat."""
        if self.confidence == "primary":
            return self.caveat
        if self.confidence == "doubtful":
            return f"doubtful: {self.caveat or self.source}"
        label = "secondary source" if self.confidence == "secondary" else self.confidence
        return f"{label}: {'; '.join(text for text in (self.source, self.caveat) if text)}"


def load_published() -> dict[str, Published]:
    """All published rows, by `<method>/<row id>`.

    Raises:
        InputError: a file is broken; says which and where.

    Example:
        >>> load_published()["defeat/voc-05"].figure
        0.8097
    """
    return {row.key: row for name in resources.names(FOLDER) for row in _rows(name)}


def find_published(key: str) -> Published | None:
    """The row of a key, or None. Reads the file of its method only.

    `<method>/<row id>:student` is the plain student of a row of distillation, `...:teacher` its teacher.

    Example:
        >>> find_published("icd/retina-r50:student").figure
        0.374
    """
    whole, _, part = key.partition(":")
    method = whole.partition("/")[0]
    if not (resources.folder(FOLDER) / f"{method}.yaml").is_file():
        return None
    found = next((row for row in _rows(method) if row.key == whole), None)
    return found if found is None or not part else _part(found, part)


def find_cost_claim(key: str) -> CostClaim | None:
    """The claim of a key, `<method>/<claim id>`, or None. Reads the file of its method only.

    Example:
        >>> find_cost_claim("lgd/cost-fgfi").saved
        0.51
    """
    method, _, name = key.partition("/")
    if not (resources.folder(FOLDER) / f"{method}.yaml").is_file():
        return None
    return next((claim for claim in _file(method).costs if claim.id == name), None)


def read_published(path: Path) -> list[Published]:
    """The rows of one file.

    Raises:
        InputError: it is broken, or its name is not its method's.
    """
    file = _read(path)
    return [_row(file, row) for row in file.rows]


def _read(path: Path) -> PublishedFile:
    file = PublishedFile.load(path)
    if file.method != path.stem:
        raise InputError(f"{path}: key 'method': {file.method} is not the file's name; call it {file.method}.yaml")
    return file


@cache
def _file(method: str) -> PublishedFile:
    return _read(resources.folder(FOLDER) / f"{method}.yaml")


@cache
def _rows(method: str) -> tuple[Published, ...]:
    file = _file(method)
    return tuple(_row(file, row) for row in file.rows)


def _row(file: PublishedFile, row: PublishedRow) -> Published:
    kept = row.model_dump(include={"id", "role", "dataset", "detector", "student", "teacher", "metric"})
    return Published(
        **kept,
        method=file.method,
        setting=", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in row.setting.items()),
        figures=_shares(row.figures),
        student_figures=_shares(row.student_figures),
        teacher_figures=_shares(row.teacher_figures),
        source="; ".join(file.sources.get(name, name) for name in row.source),
        confidence=row.confidence,
        caveat=row.caveat,
    )


def _part(row: Published, part: str) -> Published | None:
    figures = {"student": row.student_figures, "teacher": row.teacher_figures}.get(part)
    if not figures:
        return None
    metric = row.metric if row.metric in figures else next(iter(figures))
    lone: dict[str, dict[str, float]] = {"student_figures": {}, "teacher_figures": {}}
    return row.model_copy(update={"id": f"{row.id}:{part}", "role": part, "metric": metric, "figures": figures, **lone})


def _shares(percent: Figures) -> dict[str, float]:
    return {name: round(value / 100, 8) for name, value in percent.items()}


def _shown(value: Text) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
