"""A suite: a fixed table of recipes times seeds. The file of benchmarks/suites, and the resolved plan of one run of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from kdbench.errors import did_you_mean
from kdbench.specs import resources
from kdbench.specs.base import LONGEST_NAME, Name, Spec
from kdbench.specs.recipe import Recipe
from kdbench.specs.study import Resources

Grade = Literal["smoke", "quick", "full"]
GRADES: tuple[Grade, ...] = ("smoke", "quick", "full")


class RowSpec(Spec):
    """One row of the table: a short recipe without its seed.

    Attributes:
        id: its name in the table, and the start of its trials' names.
        task: a task's name; null is the suite's.
        role: `teacher` trains the task's teacher detector by plain training, with the student's schedule.
        method: a method or a preset.
        params, training: as in a short recipe.
        set: dotted changes of the task, as --set.
        published: `<method>/<row>` of the published result that this row reproduces.
        note: what a reader must know.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)
    task: str | None = None
    role: Literal["student", "teacher"] = "student"
    method: str = "none"
    params: dict[str, Any] = {}
    training: dict[str, Any] = {}
    set: dict[str, Any] = {}
    published: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _a_teacher_is_trained_plainly(self) -> RowSpec:
        if self.role == "teacher" and self.method != "none":
            raise ValueError(f"row {self.id}: role: teacher is plain training; leave 'method' out")
        return self


class GradeSpec(Spec):
    """How much of the published effort is made.

    Attributes:
        title: what it costs, on which machine.
        seeds: trainings of each row.
        set: dotted changes of every row's task; they come after the row's own.
        training: values of the schedule for every row; they come after the row's own.
    """

    title: str
    seeds: int = Field(ge=1, le=10_000)
    set: dict[str, Any] = {}
    training: dict[str, Any] = {}


class SuiteSpec(Spec):
    """A file of benchmarks/suites.

    Attributes:
        name: of the suite.
        title: a line for people.
        grades: smoke, quick and full, as far as the suite has them.
        task: of the rows that name none.
        methods: a grid in short: one row for each, with default parameters, named like the method.
        rows: what the grid does not give.
    """

    name: Name
    title: str
    task: str | None = None
    methods: tuple[str, ...] = ()
    rows: tuple[RowSpec, ...] = ()
    grades: dict[Grade, GradeSpec]

    @model_validator(mode="after")
    def _rows_are_whole(self) -> SuiteSpec:
        names = [row.id for row in self.table()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"row {twice[0]} is there twice; give every row an id of its own")
        if not names:
            raise ValueError("a suite needs rows or methods")
        if self.task is None and (self.methods or any(row.task is None for row in self.rows)):
            raise ValueError("give the suite a task, or every row one")
        if not self.grades:
            raise ValueError(f"a suite needs at least one grade of {', '.join(GRADES)}")
        return self

    def table(self) -> tuple[RowSpec, ...]:
        """All rows, the grid's first."""
        return (*(RowSpec(id=method, method=method) for method in self.methods), *self.rows)

    def grade(self, name: str) -> GradeSpec:
        """A grade by name.

        Raises:
            KeyError: the suite has none of that name; says which it has.
        """
        found = {str(grade): spec for grade, spec in self.grades.items()}
        if name not in found:
            raise KeyError(f"suite {self.name} has no grade {name!r}; {did_you_mean(name, found)}")
        return found[name]


class PlannedRow(Spec):
    """A row with its recipe. Its other seeds' recipes differ from it in the seed alone.

    Attributes:
        teacher: identity of the teacher that the row's task has, whether its method uses it or not.
    """

    id: str
    recipe: Recipe
    teacher: str | None = None
    published: str | None = None
    note: str | None = None


class SuitePlan(Spec):
    """The file suite.yaml of a suite's folder: everything that it was started with, resolved.

    Attributes:
        study: name of the folder, and of the MLflow parent runs.
        teachers: recipes of the teachers that are trained here unless the store has them.
        given: recipes that evaluate the teachers that were given as weights.
        data: identity of each dataset's annotations, by that of its specification.
    """

    version: int = 1
    study: str
    suite: str
    grade: str
    title: str
    rows: tuple[PlannedRow, ...]
    seeds: int = Field(ge=1)
    seed: int = Field(0, ge=0)
    teachers: tuple[Recipe, ...] = ()
    given: tuple[Recipe, ...] = ()
    resources: Resources = Resources()
    data_root: str | None = None
    data: dict[str, str] = {}
    tracking_uri: str | None = None

    def recipe(self, row: PlannedRow, seed: int) -> Recipe:
        """The recipe of a row with its seed number `seed`."""
        return row.recipe.model_copy(update={"seed": self.seed + seed})

    @property
    def processes(self) -> int:
        """Of the largest training."""
        return max(recipe.schedule.gpus for recipe in (*(row.recipe for row in self.rows), *self.teachers))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the rows' tasks, each once."""
        return tuple(dict.fromkeys(row.recipe.task for row in self.rows))


def load_suite(name: str) -> SuiteSpec:
    """A shipped suite by name, or a suite file by path.

    Raises:
        InputError: unknown name, broken YAML, unknown key; says where and the nearest known.
    """
    return SuiteSpec.load(resources.find("benchmarks/suites", name, "suite"))
