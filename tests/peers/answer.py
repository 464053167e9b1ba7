"""Asks croniter and APScheduler when a schedule fires next.

One JSON question a line on standard input, one JSON answer a line on standard
output, in order. Instants are seconds since 1970 in UTC.

  {"peer": "croniter", "parts": ["30 2 * * *"], "zone": "Asia/Tokyo", "from": 0, "n": 5}
  {"peer": "apscheduler", "parts": [{"cron": {"hour": "2"}}, {"interval": 300}, {"date": 86400}], ...}

answers {"next": [..]} with at most n instants after `from`, the union of the
parts, or {"error": "..."}. Zones are read from PYTHONTZPATH.
"""

import json
import signal
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from croniter import croniter

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A search that does not end is an answer, too.
PATIENCE = 60


def of_croniter(line, zone, start):
    fields = len(line.split())
    fires = croniter(line, start, ret_type=datetime, second_at_beginning=fields == 6)
    while True:
        yield fires.get_next()


def of_apscheduler(part, zone, start):
    if "cron" in part:
        trigger = CronTrigger(timezone=zone, **part["cron"])
    elif "interval" in part:
        trigger = IntervalTrigger(seconds=part["interval"], start_date=EPOCH, timezone=zone)
    else:
        trigger = DateTrigger(datetime.fromtimestamp(part["date"], zone))
    # As its scheduler asks: with the fire before, and the time just after it.
    tick = timedelta(microseconds=1)
    before, now = None, (start.astimezone(timezone.utc) + tick).astimezone(zone)
    while True:
        fire = trigger.get_next_fire_time(before, now)
        if fire is None:
            return
        # Two instants of one zone compare by their readings, which come twice in autumn.
        if fire.timestamp() > start.timestamp():
            yield fire
        if "date" in part:
            return
        before, now = fire, (fire.astimezone(timezone.utc) + tick).astimezone(zone)


PEERS = {"croniter": of_croniter, "apscheduler": of_apscheduler}


def answer(question):
    zone = ZoneInfo(question["zone"])
    start = datetime.fromtimestamp(question["from"], zone)
    fires = set()
    for part in question["parts"]:
        found = PEERS[question["peer"]](part, zone, start)
        fires.update(int(fire.timestamp()) for fire in islice(found, question["n"]))
    return {"next": sorted(fires)[: question["n"]]}


def out_of_patience(_signal, _frame):
    raise TimeoutError(f"no answer within {PATIENCE} s")


def main():
    signal.signal(signal.SIGALRM, out_of_patience)
    for line in sys.stdin:
        signal.alarm(PATIENCE)
        try:
            said = answer(json.loads(line))
        except Exception as error:  # whatever it is, it is this question's answer
            said = {"error": f"{type(error).__name__}: {error}"}
        signal.alarm(0)
        print(json.dumps(said))


if __name__ == "__main__":
    main()
