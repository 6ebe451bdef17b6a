"""MLflow's model registry: an exported student as a version of a registered model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.errors import InputError
from kdbench.tracking import store
from kdbench.tracking.client import connect, shown, telling
from kdbench.tracking.names import matching

FOLDER = "export"
"""Where a version's files lie among the artifacts of the trial's run."""


class Models:
    """One registered model at a tracking URI.

    Raises:
        InputError: nothing answers there, nothing has been recorded there, or MLflow refuses the name.

    Example:
        >>> Models(uri, "blood-cells").add(folder, {"study": "s", "trial": "t", "recipe": "a1"}, {"figure": "0.35"})
        (1, True)
    """

    def __init__(self, uri: str, name: str) -> None:
        if not name.strip() or any(mark in name for mark in "/:'\"`"):
            raise InputError(f"--register {name!r}: use letters, digits, '.', '_' and '-'")
        if not store.exists(uri):
            raise InputError(
                f"--register {name}: nothing is recorded at {shown(uri)}; give the --tracking-uri of the study"
            )
        self.uri, self.name = uri, name
        self._client = connect(uri)

    def add(self, folder: Path, identity: dict[str, str], about: dict[str, str]) -> tuple[int, bool]:
        """Make a version of the folder, or find the one that is there.

        The files become artifacts of the trial's run, and the version refers to them.

        Args:
            identity: study, trial, task, method and recipe: what makes two exports the same.
            about: more tags.

        Returns:
            The version's number, and whether it is new.

        Raises:
            InputError: the trial has no run at this URI, or it cannot be written to.
        """
        tags = {f"kdbench.{name}": value for name, value in identity.items()}
        with telling(self.uri):
            there = self._version(tags)
            if there is not None:
                return there, False
            run = self._run(identity)
            self._client.log_artifacts(run.info.run_id, str(folder), FOLDER)
            self._make_model()
            made = self._client.create_model_version(
                self.name,
                f"{run.info.artifact_uri.rstrip('/')}/{FOLDER}",
                run.info.run_id,
                tags={**tags, **{f"kdbench.{name}": value for name, value in about.items()}},
                description=f"{identity['method']} on {identity['task']}: {identity['study']}/{identity['trial']}",
                await_creation_for=0,
            )
            return int(made.version), True

    def _version(self, tags: dict[str, str]) -> int | None:
        found = self._client.search_model_versions(f"name = '{self.name}'", max_results=1000)
        same = [int(one.version) for one in found if all(one.tags.get(name) == tags[name] for name in tags)]
        return min(same, default=None)

    def _run(self, identity: dict[str, str]) -> Any:
        """The run of the trial; a teacher's own run, where it is one that was exported."""
        task = {"kdbench.task": identity["task"]}
        trial = {"kdbench.kind": "trial", "kdbench.study": identity["study"], "kdbench.trial": identity["trial"]}
        teacher = {"kdbench.kind": "teacher", "kdbench.recipe": identity["recipe"]}
        place = self._client.get_experiment_by_name(identity["task"])
        for tags in (trial, teacher) if place is not None else ():
            found = self._client.search_runs([place.experiment_id], matching({**tags, **task}), max_results=1)
            if found:
                return found[0]
        raise InputError(
            f"--register {self.name}: trial {identity['study']}/{identity['trial']} has no run at {shown(self.uri)}; "
            "give the --tracking-uri of the study"
        )

    def _make_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
