"""Ctrl-C and SIGTERM during a search: raised, and not forgotten if somebody swallows the exception."""

from __future__ import annotations

import os
import pickle
import signal

import pytest

from kdbench.running.driving import Interruption
from kdbench.running.tuning import Watch


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_swallowed_interrupt_ends_the_loop_at_its_next_step(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    interrupted = Interruption()
    with interrupted.caught():
        watch = Watch(interrupted.__bool__)
        watch.on_step_begin(1, [])
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            pass  # as code of a library might
        with pytest.raises(KeyboardInterrupt):
            watch.on_step_begin(2, [])
    assert signal.getsignal(number) is before


def test_tune_can_save_the_watch() -> None:
    assert isinstance(pickle.loads(pickle.dumps(Watch(Interruption().__bool__))), Watch)
