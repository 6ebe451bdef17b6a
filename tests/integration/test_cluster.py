"""A search on a real cluster of two worker nodes: a node dies, then the driver; nothing is lost or done twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.running import check_mlflow, events, reports, result, wait_for

CLUSTER_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@pytest.fixture
def cluster() -> Iterator[object]:
    """A head without CPUs and two worker nodes, each with one CPU and an address of its own."""
    before = dict(os.environ)
    os.environ.update(CLUSTER_ENVIRONMENT)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "node_ip_address": "127.0.0.2"})
    try:
        yield made
    finally:
        made.shutdown()
        os.environ.clear()
        os.environ.update(before)


def test_node_and_driver_die(tmp_path: Path, tiny_task: Path, kdbench: Callable, cluster: object) -> None:
    nodes = [cluster.add_node(num_cpus=1, node_ip_address=f"127.0.0.{i}") for i in (3, 4)]  # type: ignore[attr-defined]
    address = cluster.address  # type: ignore[attr-defined]
    arguments = ["--task", tiny_task, "--trials", 3, "--epochs", 4, "--name", "s", "--storage", tmp_path]
    run = kdbench("search", "defeat", *arguments, "--address", address, **CLUSTER_ENVIRONMENT)
    wait_for(lambda: reports(tmp_path, "s") >= 2, "two evaluations", run)
    cluster.remove_node(nodes[1], allow_graceful=False)  # type: ignore[attr-defined]
    done = reports(tmp_path, "s")
    wait_for(lambda: reports(tmp_path, "s") >= done + 4, "evaluations after the node's death", run)
    run.kill_everything()
    assert any(entry["end"] is None for entry in result(tmp_path, "s").values()), "killed too late to prove anything"

    last = kdbench("resume", "s", "--storage", tmp_path, "--address", address, **CLUSTER_ENVIRONMENT)
    assert last.wait() == 0, last.text()
    table = result(tmp_path, "s")
    assert sorted(table) == ["defeat-000", "defeat-001", "defeat-002", "none-000", "none-001", "teacher"]
    for name, entry in table.items():
        assert entry["end"] == "completed", (name, events(tmp_path, "s"))
        assert sorted(entry["values"]) == list(range(1, entry["recipe"]["schedule"]["epochs"] + 1))
    check_mlflow(tmp_path, "s")
    board = kdbench("leaderboard", "s", "--storage", tmp_path, "--format", "json")
    assert board.wait() == 0, board.text()
    assert sorted(row["trial"] for row in json.loads(board.text())) == sorted(n for n in table if n != "teacher")

    # Without --address a search has a Ray of its own, though a cluster runs here and the environment names it.
    own = kdbench(
        "search",
        "none",
        "--task",
        tiny_task,
        "--trials",
        1,
        "--epochs",
        1,
        "--storage",
        tmp_path / "own",
        RAY_ADDRESS=address,
    )
    assert own.wait() == 0, own.text()
