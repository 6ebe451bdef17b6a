"""Nobody, somebody else or a silent one at a cluster's address: told within seconds, in a line."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kdbench.errors import InputError
from kdbench.planning import addresses


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A port that says `answer` to whoever comes; None: it says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve() -> None:
            line, _ = server.accept()
            kept.append(line)
            line.recv(100)
            if answer is not None:
                line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for line in kept:
            line.close()


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n"])
def test_somebody_else(answer: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "SECONDS", 0.5)
    began = time.monotonic()
    with listening(answer) as address, pytest.raises(InputError, match="no Ray cluster answers there"):
        addresses.check_cluster(address)
    assert time.monotonic() - began < 10


def test_a_server_of_grpc() -> None:
    with listening(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64") as address:
        addresses.check_cluster(address)
    with listening(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00") as address:
        addresses.check_cluster(f"ray://{address}")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9", "nowhere.invalid:6379", "127.0.0.1:99999", "x", ":6379", "a:b", "a:0"]
)
def test_nobody(address: str) -> None:
    with pytest.raises(InputError, match="^--address"):
        addresses.check_cluster(address)


def test_a_stale_cluster_of_this_machine(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(InputError, match="--address auto: no Ray cluster answers"):
        addresses.check_cluster("auto")


def test_a_temporary_folder_too_long_for_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    addresses.check_cluster(None)
    monkeypatch.setenv("TMPDIR", "/scratch/slurm/job.1234567/tmp/of/somebody/who/is/patient")
    with pytest.raises(InputError, match="too long for Ray's sockets") as told:
        addresses.check_cluster(None)
    assert "RAY_TMPDIR" in str(told.value)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    addresses.check_cluster(None)


def test_an_address_of_this_machine_is_known() -> None:
    for address in ("127.0.0.1:6379", "localhost:1", "ray://127.0.0.1:10001"):
        assert addresses.on_this_machine(address), address
    for address in ("203.0.113.9:6379", "no-such-host.invalid:6379", "auto", ""):  # the first is for documents alone
        assert not addresses.on_this_machine(address), address
