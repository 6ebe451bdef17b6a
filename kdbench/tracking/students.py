"""Completed students as MLflow's logged models, whose figures name the split that measured them. Their weights stay where they are.

MLflow's page of models groups figures by dataset, so it ranks by the report split where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdbench.tracking.names import shorten
from kdbench.tracking.record import Record

TAG = "kdbench.model"
"""Of a run: its logged model, once that is whole."""
KIND = "detector"
MEASURED = {"best": "search", "report": "report"}
"""How a figure's name begins -> the split that it was measured on."""
UNKNOWN = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED")
"""What servers of MLflow 2 say, which know no logged models."""


def open_model(client: Any, record: Record) -> str | None:
    """The logged model of a run, made where there is none; None where the server knows no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        if record.adopted:
            own = f"source_run_id = '{record.run_id}'"
            found = client.search_logged_models([record.experiment_id], filter_string=own, max_results=1)
            if found:
                return str(found[0].model_id)
        made = client.create_logged_model(
            record.experiment_id,
            name=record.name.replace("/", "-").replace(":", "-"),
            source_run_id=record.run_id,
            tags={**record.identity, **{k: v for k, v in record.tags.items() if k.startswith("kdbench.")}},
            params={k: shorten(v, 250) for k, v in record.params.items() if k in ("metric", "seed", "method.name")},
            model_type=KIND,
        )
        return str(made.model_id)
    except MlflowException as error:
        if error.error_code in UNKNOWN or "404" in str(error):
            return None
        raise


def close_model(client: Any, record: Record, model: str, step: int) -> None:
    """The figures are there: the model is an output of its run, and ready."""
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(record.run_id) if record.adopted else None
    outputs = getattr(run, "outputs", None)
    if model not in [one.model_id for one in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(record.run_id, [LoggedModelOutput(model, step)])
    client.finalize_logged_model(model, "READY")


def measured_on(record: Record, figure: str) -> Mapping[str, str] | None:
    """Name and digest of the split that a figure was measured on, in the words of MLflow's metrics; None for costs.

    Example:
        >>> measured_on(record, "report/mAP")
        {'dataset_name': 'shapes/report', 'dataset_digest': 'a1b2'}
    """
    split = MEASURED.get(figure.partition("/")[0])
    found = next((one for one in record.splits if one.name == split), None)
    return None if found is None else {"dataset_name": found.title, "dataset_digest": found.digest}
