"""A task queue of Celery, broker and results: groups, chords, chains, retries, delays,
failures, a task that is revoked while it runs, and remote control of the worker."""

import subprocess
import sys
import time

from celery import chain, chord, group

import tasks

WAIT = 40

worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-l", "WARNING"])
try:
    results = [tasks.add.delay(i, i) for i in range(50)]
    assert [r.get(timeout=WAIT) for r in results] == [2 * i for i in range(50)]
    assert group(tasks.add.s(i, i) for i in range(10))().get(timeout=WAIT) == [2 * i for i in range(10)]
    assert chord((tasks.add.s(i, i) for i in range(10)), tasks.total.s())().get(timeout=WAIT) == 90
    assert chain(tasks.add.s(1, 1), tasks.add.s(3), tasks.add.s(4))().get(timeout=WAIT) == 9
    assert tasks.third_time_lucky.delay().get(timeout=WAIT) == 3
    assert tasks.add.apply_async((5, 6), countdown=0.2, priority=9).get(timeout=WAIT) == 11
    failed = tasks.fails.delay()
    assert repr(failed.get(timeout=WAIT, propagate=False)) == "ValueError('on purpose')" and failed.state == "FAILURE"
    running = tasks.endless.delay()
    end = time.monotonic() + WAIT
    while running.state != "STARTED" and time.monotonic() < end:
        time.sleep(0.02)
    running.revoke(terminate=True)
    running.get(timeout=WAIT, propagate=False)
    assert running.state == "REVOKED", running.state
    assert [list(answer.values()) for answer in tasks.app.control.ping(timeout=WAIT, limit=1)] == [[{"ok": "pong"}]]
    assert tasks.app.control.purge() == 0
finally:
    worker.terminate()
    worker.wait()
