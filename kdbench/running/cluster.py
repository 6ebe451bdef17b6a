"""Ray: started on this machine, or joined at an address, with the settings that kdbench needs."""

from __future__ import annotations

import logging
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from kdbench.errors import InputError, RunError
from kdbench.planning.addresses import check_cluster, on_this_machine
from kdbench.planning.numbers import trials_at_once
from kdbench.specs.study import Resources

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_AIR_NEW_OUTPUT": "0",  # otherwise verbose=0 still prints a box
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the ledger is the state: Tune's own snapshots are not read
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # MLflow records; no event files and CSVs beside it
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C reaches kdbench, which ends the study in order
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees none
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
SLOW, STARTS = "timed out during startup", 3
"""What Ray says when its own node was too slow, and how often it is started anew."""
TOKEN_HINT = "; one that asks for a token: export RAY_AUTH_MODE=token"
STANDARD = {sysconfig.get_path("stdlib"), f"{sys.base_prefix}/lib/python{sys.version_info[0]}{sys.version_info[1]}.zip"}
WORKER_ENVIRONMENT = {"PYTHONWARNINGS": "ignore", **ENVIRONMENT}


def import_path() -> list[str]:
    """The folders that this process imports from before the standard library: what a worker lacks, the first one last.

    Ray would put the working directory first, where this process may not look at all: a folder `mmdet` there, a clone of
    mmdetection say, would be imported in place of the installed one. Its "client job" is the one that does not.
    """
    own = [os.path.abspath(folder) for folder in takewhile(lambda folder: folder not in STANDARD, sys.path)]
    return list(reversed(own))  # Ray puts each before the others


@contextmanager
def ray_session(address: str | None, resources: Resources) -> Iterator[dict[str, float]]:
    """Ray for the length of a block; gives the cluster's resources.

    Raises:
        InputError: nothing answers at the address.
        RunError: Ray does not start on this machine.
    """
    check_cluster(address)
    os.environ.update(ENVIRONMENT)
    import ray

    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    runtime: dict[str, Any] = {"env_vars": WORKER_ENVIRONMENT}
    quiet["job_config"] = ray.job_config.JobConfig(_client_job=True, _py_driver_sys_path=import_path())
    try:
        if address:
            if on_this_machine(address):
                _take_token()
            ray.init(address=address, runtime_env=runtime, **quiet)
        else:
            _start(runtime_env=runtime, **quiet)
    except Exception as error:  # Ray raises `Exception` itself where its processes are not up in time
        if isinstance(error, RunError) or (isinstance(error, OSError) and error.errno and not address):
            raise  # told already; or a disk or a folder, which is told as such
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        if not address:
            raise RunError(
                f"Ray does not start on this machine ({line}); nothing is lost: try again, or look with kdbench doctor"
            ) from error
        if isinstance(error, ConnectionError | ValueError | RuntimeError | TimeoutError):
            hint = TOKEN_HINT if os.environ.get("RAY_AUTH_MODE", "").lower() != "token" else ""
            raise InputError(
                f"--address {address}: no Ray cluster answers there ({line}); start one with 'ray start --head'{hint}"
            ) from None
        raise
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()


def _take_token() -> None:
    """Log in to a Ray of this machine as its `--address auto` does.

    Since 2.60 `ray start` asks for the token in ~/.ray if there is one, and every Ray that a search starts puts one there;
    but at an address in words Ray does not show it.
    """
    try:
        from ray._private.authentication import authentication_token_setup as setup
    except ImportError:  # an earlier Ray asks for none
        return
    take = getattr(setup, "maybe_enable_token_auth_if_token_available", None)
    if take is not None:
        logging.getLogger(setup.__name__).setLevel(logging.ERROR)
        take(warn_if_disabled=False)


def _start(**settings: Any) -> None:
    """A Ray of our own, whatever else runs on this machine or stands in RAY_ADDRESS: a cluster is joined by --address.

    Raises:
        RunError: Ray gave up on its own node again and again, as it does after 30 s on a machine that has too much to do.
    """
    import ray

    for _ in range(STARTS):
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=200 * 2**20,
                _node_ip_address="127.0.0.1",
                **settings,
            )
            return
        except Exception as error:  # Ray has no class of its own for it
            if SLOW not in str(error):
                raise
            ray.shutdown()
    raise RunError(
        f"Ray did not start on this machine in {STARTS} attempts of 30 s; end what else keeps the machine busy, and try "
        "again (a study that has begun: kdbench resume STUDY)"
    )


def check_room(resources: Resources, processes: int, address: str) -> None:
    """See that a cluster has room for the largest training.

    Raises:
        InputError: nothing answers at the address, or it has too little.
    """
    with ray_session(address, resources) as available:
        trials_at_once(resources, processes, available)
