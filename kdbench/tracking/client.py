"""A quiet MLflow client: no telemetry, no chatter, short timeouts, and failures told in one line."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kdbench.errors import InputError, RunError

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # it logs the stack of what it raises; we tell that in a line
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
"""Set before mlflow is imported, each only where the user has not set it."""

PROBE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""For the first question to a server: whether it is there at all. MLflow's own default is minutes of retries."""


def make_client(uri: str) -> Any:
    """An MLflow client for `uri`. With SQLite this opens the database, and makes it if it is not there."""
    quieten()
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def quieten() -> None:
    """Set the environment, the loggers and the warnings; before each import of mlflow."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)  # it may have been imported before, by a notebook say
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy)\b")


def connect(uri: str) -> Any:
    """A client for `uri` that has had one answer.

    Raises:
        InputError: nothing answers there, or not as MLflow does.
    """
    with _environment(PROBE), telling(uri):
        client = make_client(uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def telling(uri: str) -> Iterator[None]:
    """What goes wrong inside becomes an InputError of one line on `uri`."""
    try:
        yield
    except (InputError, RunError):
        raise
    except ModuleNotFoundError as error:
        raise InputError(
            f"tracking URI {shown(uri)}: the package {error.name} is missing; install it (pip install {error.name})"
        ) from None
    except Exception as error:
        if "database or disk is full" in str(error):
            raise RunError(f"no space left for {shown(uri)}; make room there, or give another --storage") from None
        raise InputError(f"tracking URI {shown(uri)}: {_cause(uri, error)}") from None


def shown(uri: str) -> str:
    """The URI without its password, for messages."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", uri)


def one_line(error: BaseException, length: int = 160) -> str:
    """The start of an error's text, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."


def _cause(uri: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "out-of-date database schema" in text:
        return f"the database is of another MLflow version; copy it, then run: mlflow db upgrade {uri}"
    if "file is not a database" in text:
        return "that file is not an SQLite database; give another path"
    if uri.startswith("http"):
        if "Max retries exceeded" in text or "timed out" in text.lower():
            return "no server answers there; start it, correct the address, or leave it out to use the storage folder"
        return f"a server answers, but not as MLflow does ({one_line(error)}); check the address"
    return f"cannot be used ({one_line(error)}); check host, user and database, or leave it out"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
