"""The Celery application of celery_run.py: what each task did goes to a log, line by line."""

import os
import time

from celery import Celery

app = Celery("lanemq", broker=os.environ["BROKER"])
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "visibility_timeout": 120,
        "wait_time_seconds": 2,
        "polling_interval": 0.1,
    },
    broker_connection_retry_on_startup=True,
    task_default_queue=os.environ["QUEUE"],
    task_ignore_result=True,
    task_acks_late=True,
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=10,
)


def log(*words):
    # One write each: many threads append.
    line = " ".join(str(word) for word in words) + "\n"
    descriptor = os.open(os.environ["LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@app.task(bind=True, max_retries=3)
def work(self, number, not_before):
    """Every fifth fails at first; what has a time says how early it came."""
    if number % 5 == 0 and self.request.retries == 0:
        log("retry", number)
        raise self.retry(countdown=1)
    log("done", number, self.request.retries, max(0.0, not_before - time.time()))
