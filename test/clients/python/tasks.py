"""The tasks of celery_tasks.py; a worker imports them."""

import os
import time

from celery import Celery

PORT = os.environ["PORT"]
app = Celery("tasks", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(task_track_started=True, task_acks_late=True, worker_prefetch_multiplier=1, result_expires=60)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def third_time_lucky(self):
    tries = self.backend.client.incr("tries")
    if tries < 3:
        raise self.retry(countdown=0.05)
    return tries


@app.task
def fails():
    raise ValueError("on purpose")


@app.task
def endless():
    time.sleep(600)
