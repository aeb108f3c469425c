"""A Celery worker and 1,000 tasks, with retries, countdowns and times: `python celery_run.py ENDPOINT`.

Prints what became of them as one line of JSON.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

ENDPOINT, ACCESS_KEY, SECRET_KEY, *_ = [*sys.argv[1:], "anybody", "anything"]
TASKS = 1_000
PATIENCE_SECONDS = 240

folder = tempfile.mkdtemp(prefix="lanemq-celery-")
os.environ["BROKER"] = f"sqs://{ACCESS_KEY}:{SECRET_KEY}@{urlsplit(ENDPOINT).netloc}//"
os.environ["QUEUE"] = f"celery-{uuid.uuid4().hex[:12]}"
os.environ["LOG"] = os.path.join(folder, "log")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import celery  # noqa: E402
import kombu  # noqa: E402
from celery_tasks import work  # noqa: E402


def lines(kind):
    try:
        with open(os.environ["LOG"], encoding="ascii") as log:
            return [words[1:] for words in map(str.split, log) if words[0] == kind]
    except FileNotFoundError:
        return []


worker_log = open(os.path.join(folder, "worker"), "w+b")
worker = subprocess.Popen(
    [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--pool", "threads"]
    + ["--concurrency", "8", "--without-gossip", "--without-mingle", "--without-heartbeat"],
    cwd=HERE,
    env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    stdout=worker_log,
    stderr=subprocess.STDOUT,
)
try:
    for number in range(TASKS):
        now = time.time()
        if number % 10 == 1:
            work.apply_async((number, now + 3), countdown=3)
        elif number % 10 == 2:
            eta = datetime.now(timezone.utc) + timedelta(seconds=4)
            work.apply_async((number, eta.timestamp()), eta=eta)
        else:
            work.apply_async((number, 0))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len({number for number, *_ in lines("done")}) < TASKS:
        if worker.poll() is not None or time.monotonic() > deadline:
            break
        time.sleep(0.2)
finally:
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        worker.kill()

done = lines("done")
times = collections.Counter(number for number, *_ in done)
report = {
    "celery": celery.__version__,
    "kombu": kombu.__version__,
    "done": len(times),
    "twice": sum(1 for count in times.values() if count > 1),
    "retried": len({number for (number,) in lines("retry")}),
    "early": sum(1 for _, _, early in done if float(early) > 0.5),
    "exit": worker.returncode,
    "queue": os.environ["QUEUE"],
}
print(json.dumps(report))
if report["done"] < TASKS:
    worker_log.seek(0)
    sys.stderr.write(worker_log.read()[-6_000:].decode("utf8", "replace"))
