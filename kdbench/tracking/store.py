"""Where MLflow's records lie: the tracking URI, and the SQLite database that is made when there is none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kdbench.errors import InputError, did_you_mean
from kdbench.tracking.client import connect, quieten, shown, telling

SERVERS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
KNOWN = ("sqlite", "http", "https", *SERVERS)
ARTIFACTS = "mlartifacts"


def tracking_uri(storage: Path, given: str | None = None) -> str:
    """The one URI that every part uses: `given`, else the SQLite database in the storage folder.

    Raises:
        InputError: a kind of URI that is not supported.

    Example:
        >>> tracking_uri(Path("/data/runs"))
        'sqlite:////data/runs/mlflow.db'
    """
    if not given:
        return f"sqlite:///{storage.expanduser().absolute() / 'mlflow.db'}"
    scheme = urlsplit(given).scheme.partition("+")[0]
    if scheme in ("", "file"):
        raise InputError(
            f"tracking URI {given}: MLflow no longer records into folders; give sqlite:///PATH.db, or http://HOST:PORT of a server"
        )
    if scheme not in KNOWN:
        raise InputError(f"tracking URI {shown(given)}: {scheme}: is not supported; {did_you_mean(scheme, KNOWN)}")
    if scheme == "sqlite":
        return f"sqlite:///{_sqlite_path(given)}"
    if not urlsplit(given).hostname:
        raise InputError(f"tracking URI {shown(given)}: names no host; write {scheme}://HOST:PORT")
    return given.rstrip("/")


def prepare(uri: str, storage: Path) -> Any:
    """A client for `uri` that works; the SQLite database is made first where it is missing. For the driver.

    Raises:
        InputError: nothing answers at `uri`, or not as MLflow does.
    """
    path = database(uri)
    if path is not None and not _there(path):
        _create(path, storage)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in SERVERS:
        _probe_database(uri, SERVERS[scheme])
    return connect(uri)


def database(uri: str) -> Path | None:
    """The file of an SQLite URI; None for servers."""
    return _sqlite_path(uri) if uri.startswith("sqlite:") else None


def exists(uri: str) -> bool:
    """Whether there can be anything to read; never makes a database."""
    path = database(uri)
    return path is None or _there(path)


def artifact_location(uri: str, storage: Path, task: str) -> str | None:
    """Where a task's artifacts go: under the storage folder, unless a tracking server decides."""
    if uri.startswith("http"):
        return None
    inside = [part for part in task.split("/") if part not in ("", ".", "..")]
    return storage.expanduser().absolute().joinpath(ARTIFACTS, *inside).as_uri()


def _sqlite_path(uri: str) -> Path:
    text = uri.partition("://")[2].partition("?")[0]
    if not text.startswith("/") or text in ("/", "/:memory:"):
        raise InputError(
            f"tracking URI {uri}: names no file; write sqlite:///mlflow.db or sqlite:////absolute/mlflow.db"
        )
    path = Path(text[1:]).expanduser().absolute()
    if path.is_dir():
        raise InputError(f"tracking URI {uri}: {path} is a folder; give a file in it, such as mlflow.db")
    return path


def _there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _create(path: Path, storage: Path) -> None:
    """Make the database beside its place and move it there: it is whole or not there, whoever is killed when.

    MLflow's migrations fail when several processes run them at once; the lock lets one.
    """
    from filelock import FileLock, Timeout

    uri = f"sqlite:///{path}"
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=120):
            if _there(path):
                return
            quieten()
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            with _removed_in_the_end(draft), telling(uri):
                store = SqlAlchemyStore(f"sqlite:///{draft}", (storage.expanduser().absolute() / ARTIFACTS).as_uri())
                store.engine.dispose()
                os.replace(draft, path)
    except Timeout:
        raise InputError(f"{path}: another process has been making it for 120 s; end that one and try again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be made ({error.strerror}); choose another --storage") from None


@contextmanager
def _removed_in_the_end(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _probe_database(uri: str, port: int) -> None:
    """One short attempt to connect; MLflow itself would try ten times."""
    address = urlsplit(uri)
    with telling(uri):
        socket.create_connection((address.hostname or "", address.port or port), timeout=5).close()
        import sqlalchemy

        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
        engine.connect().close()
