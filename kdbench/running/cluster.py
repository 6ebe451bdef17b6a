"""Ray: started on this machine, or joined at an address, with the settings that kdbench needs."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from kdbench.errors import InputError, RunError
from kdbench.planning.addresses import check_cluster
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
            ray.init(address=address, runtime_env=runtime, **quiet)
        else:
            # A Ray of our own, whatever else runs on this machine or stands in RAY_ADDRESS: a cluster is joined by --address.
            ray.init(
                address="local",
                include_dashboard=False,
                runtime_env=runtime,
                object_store_memory=200 * 2**20,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
    except Exception as error:  # Ray raises `Exception` itself where its processes are not up in time
        if isinstance(error, OSError) and error.errno and not address:
            raise  # a disk or a folder, which is told as such
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        if not address:
            raise RunError(
                f"Ray does not start on this machine ({line}); nothing is lost: try again when it is less busy, or look with "
                "kdbench doctor"
            ) from error
        if isinstance(error, ConnectionError | ValueError | RuntimeError | TimeoutError):
            raise InputError(
                f"--address {address}: no Ray cluster answers there ({line}); start one with 'ray start --head'"
            ) from None
        raise
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()


def check_room(resources: Resources, processes: int, address: str) -> None:
    """See that a cluster has room for the largest training.

    Raises:
        InputError: nothing answers at the address, or it has too little.
    """
    with ray_session(address, resources) as available:
        trials_at_once(resources, processes, available)
