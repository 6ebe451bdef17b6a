"""Where Ray is to run, looked at before Ray is asked: its own clients wait for minutes, deaf to Ctrl-C, where nobody answers."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from kdbench.errors import InputError, brief

SECONDS = 5.0
"""For each step of a look: to connect, and to answer."""
LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path."""
SOCKET = "/ray/session_2000-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
"""Where Ray puts its sockets below the temporary folder."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""What a gRPC client says first: HTTP/2's preface and empty settings. The server answers with its own settings."""
SETTINGS = 4


def check_cluster(address: str | None) -> None:
    """See that Ray answers at the address, or that a Ray of our own can be started here.

    Raises:
        InputError: no such address, nobody there, or somebody else.
    """
    if address is None:
        check_socket_folder()
        return
    found = _running() if address == "auto" else address
    if found in (None, "local"):
        return  # Ray itself says at once that there is none
    host, port = _parsed(address, str(found))
    why = _silent(host, port)
    if why:
        raise InputError(
            f"--address {brief(address)[1:-1]}: no Ray cluster answers there ({why}); start one with 'ray start --head'"
        )


def check_socket_folder() -> None:
    """See that the paths of Ray's sockets fit; the temporary folders of batch systems are often too long.

    Raises:
        InputError: with the variable to set.
    """
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = os.environ.get(name) or "/tmp"
    room = LONGEST_SOCKET - len(SOCKET.format(pid=os.getpid()))
    if len(os.fsencode(folder)) > room:
        raise InputError(
            f"{name}={brief(folder, 200)[1:-1]}: is too long for Ray's sockets ({len(os.fsencode(folder))} bytes, {room} are "
            "possible); set RAY_TMPDIR to a short folder on this machine's disk, such as /tmp"
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{name}={brief(folder, 200)[1:-1]}: cannot be written ({error.strerror}), and Ray keeps its sockets there; set another"
        ) from None


def on_this_machine(address: str) -> bool:
    """Whether HOST:PORT is this machine: one can listen only at an address of one's own.

    Example:
        >>> on_this_machine("127.0.0.1:6379"), on_this_machine("203.0.113.9:6379")
        (True, False)
    """
    host = address.removeprefix("ray://").rpartition(":")[0].strip("[]")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.bind(place)
    except (OSError, UnicodeError):
        return False
    return bool(host)


def _running() -> str | None:
    """The address of the Ray that was started on this machine, as `auto` finds it."""
    if os.environ.get("RAY_ADDRESS"):
        return os.environ["RAY_ADDRESS"]
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        return (Path(folder) / "ray" / "ray_current_cluster").read_text().strip() or None
    except OSError:
        return None


def _parsed(given: str, address: str) -> tuple[str, int]:
    place = address.removeprefix("ray://")
    host, colon, port = place.rpartition(":")
    host = host.strip("[]")
    if place != address and not colon:
        host, port = place, "10001"  # what a Ray client's address means without a port
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:9]) < 65536:
        raise InputError(
            f"--address {brief(given)[1:-1]}: is no address; write HOST:PORT with a port up to 65535, such as 10.0.0.1:6379, or auto"
        )
    return host, int(port)


def _silent(host: str, port: int) -> str | None:
    """Why nobody of the right kind answers; None where somebody does."""
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as line:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return None  # only Ray knows the certificates
            line.sendall(PREFACE)
            answer = line.recv(9)
    except TimeoutError:
        return f"no answer in {SECONDS:g} s"
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or "no such host"
    return None if len(answer) >= 4 and answer[3] == SETTINGS else "something else listens there"
