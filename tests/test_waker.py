"""What the watch over the signals of a worker process takes, and that it gives it back.

That such a process dies of a signal that comes as its wait begins: `tests/faults/test_processes.py`, row K9.
"""

from __future__ import annotations

import textwrap

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run

HEAD = """
import asyncio, multiprocessing, os, signal, sys, threading, time, types
import agentops_otel as agentops

def taken():
    "The descriptor of the system's notes, whether somebody handles SIGWINCH, and our threads that wait."
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    threads = [thread.name for thread in threading.enumerate()].count("agentops-waker")
    return number >= 200, signal.getsignal(signal.SIGWINCH) is not signal.SIG_DFL, threads

def say(*told):
    os.write(1, (" ".join(map(str, told)) + "\\n").encode())

def in_worker(function):
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode

NOTHING, ALL = (False, False, 0), (True, True, 1)
"""


def said(source: str) -> list[str]:
    """The lines of a program that records, with warnings as errors."""
    with FaultServer() as server:
        variables = {"AGENTOPS_ENDPOINT": server.url, "PYTHONWARNINGS": "error::DeprecationWarning:__main__"}
        ended = run(f"{HEAD}agentops.init(summary=False)\n{textwrap.dedent(source)}", variables)
    assert (ended.code, ended.err) == (0, ""), ended.err
    return ended.out.splitlines()


def test_a_worker_is_watched_and_its_parent_is_not():
    """Nothing is taken in a process that multiprocessing has not made."""
    assert said(
        """
        in_worker(lambda: say(taken() == ALL))
        say(taken() == NOTHING)
        pid = os.fork()
        if not pid:
            say(taken() == NOTHING)
            os._exit(0)
        os.waitpid(pid, 0)
        """
    ) == ["True", "True", "True"]


def test_shutdown_gives_back_what_was_taken():
    """As if it had not been there; a thread is no longer than its last knock."""
    assert said(
        """
        def work():
            agentops.shutdown()
            until = time.monotonic() + 20
            while taken() != NOTHING and time.monotonic() < until:
                time.sleep(0.01)
            say(taken() == NOTHING)
        in_worker(work)
        """
    ) == ["True"]


def test_what_a_program_uses_stays_its_own():
    """A descriptor that was there before, what it does about SIGWINCH, Trio: nothing is watched then."""
    assert said(
        """
        def work():
            say(taken()[2], signal.getsignal(signal.SIGWINCH).name)
        def work_with_notes():
            agentops.shutdown()
            own = os.open(os.devnull, os.O_WRONLY | os.O_NONBLOCK)
            signal.set_wakeup_fd(own)
            agentops.init(summary=False)
            work()
            say(signal.set_wakeup_fd(-1) == own)
        in_worker(work_with_notes)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)
        in_worker(work)
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        sys.modules["trio"] = types.ModuleType("trio")
        in_worker(work)
        """
    ) == ["0 SIG_DFL", "True", "0 SIG_IGN", "0 SIG_DFL"]


def test_an_event_loop_that_begins_later_has_its_signals():
    """It puts its own descriptor in the place of ours, and keeps it after `shutdown()`."""
    assert said(
        """
        async def main():
            got = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
            agentops.shutdown()
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(got.wait(), 20)
            say("got it")
        in_worker(lambda: asyncio.run(main()))
        """
    ) == ["got it"]


def test_a_worker_that_forks_is_watched_and_its_child_is_not():
    """The thread is not there at the fork, the child has nothing of it, and the worker goes on."""
    assert said(
        """
        def work():
            pid = os.fork()
            if not pid:
                say(taken() == NOTHING)
                os._exit(0)
            os.waitpid(pid, 0)
            say(taken() == ALL)
        in_worker(work)
        """
    ) == ["True", "True"]


def test_a_worker_that_becomes_a_daemon():
    """Its next files get nothing of ours, and a signal costs no more than its handler."""
    assert said(
        """
        def work():
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                return
            os.closerange(3, 1024)
            own = os.open(os.environ["HOME"] + "/own", os.O_RDWR | os.O_CREAT)
            signal.signal(signal.SIGUSR1, lambda *_: say("handled"))
            os.kill(os.getpid(), signal.SIGUSR1)
            say(os.fstat(own).st_size)
            os._exit(0)
        in_worker(work)
        """
    ) == ["handled", "0"]
