"""Ray: started on this machine, or joined at an address, with the settings that kdbench needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kdbench.errors import InputError
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
WORKER_ENVIRONMENT = {"PYTHONWARNINGS": "ignore", **ENVIRONMENT}


@contextmanager
def ray_session(address: str | None, resources: Resources) -> Iterator[dict[str, float]]:
    """Ray for the length of a block; gives the cluster's resources.

    Raises:
        InputError: nothing answers at the address.
    """
    os.environ.update(ENVIRONMENT)
    import ray

    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    runtime: dict[str, Any] = {"env_vars": WORKER_ENVIRONMENT}
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
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        if address:
            raise InputError(
                f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0][:120]}); start one with 'ray start --head'"
            ) from None
        raise
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()


def concurrency(resources: Resources, processes: int, available: dict[str, float]) -> int:
    """How many trials of `processes` processes run at once.

    Raises:
        InputError: not even one fits; Ray would wait for ever.
    """
    fits = []
    for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)):
        if need:
            have = available.get(kind, 0.0)
            # A fraction of a device is given whole or not at all: count by device.
            per_process = int(have / need + 1e-6)
            if per_process < processes:
                raise InputError(
                    f"a trial needs {processes * need:g} {kind} (--{kind.lower()}s {need:g} for each of {processes} processes), "
                    f"Ray has {have:g}; lower --{kind.lower()}s or schedule.gpus"
                )
            fits.append(per_process // processes)
    return min([*fits, resources.concurrent or max(fits)])
