"""A web server as a child process: started, waited for, and ended with all of its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

from kdbench.errors import RunError


class Server:
    """Runs `command` while the block runs. Ctrl-C, SIGTERM and SIGHUP end the block quietly, and the server with it.

    Args:
        folder: where the command runs.
    """

    def __init__(self, command: list[str], environment: dict[str, str], url: str, folder: Path) -> None:
        self.command, self.environment, self.url, self.folder = command, environment, url, folder
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self.output: IO[bytes] = tempfile.TemporaryFile()
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, _stop) for s in (signal.SIGTERM, signal.SIGHUP)}
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the whole group
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._end()
        self.output.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        return kind is KeyboardInterrupt

    def wait_until_it_answers(self, seconds: float = 180) -> None:
        """Wait for the first answer.

        Raises:
            RunError: it ended, or is silent for too long.
        """
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RunError(f"MLflow's server ended at once: {self._last_line()}")
            try:
                direct.open(f"{self.url}/health", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RunError(f"MLflow's server at {self.url} did not answer in {seconds:g} s: {self._last_line()}")

    def wait(self) -> None:
        """Wait until it ends by itself, which is a failure.

        Raises:
            RunError: it ended.
        """
        self.process.wait()
        raise RunError(f"MLflow's server ended: {self._last_line()}")

    def _last_line(self) -> str:
        file = self.output.fileno()  # shared with the server, so its position must not move
        lines = os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")

    def _end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
