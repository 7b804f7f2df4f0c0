"""Writes a database as a version of Plaudit leaves it, for the test of upgrades: once, by that version itself.

    git archive COMMIT | tar -x -C TREE        the last commit before the next migration
    .venv/bin/python tests/storage/upgrades/fill.py TREE tests/storage/upgrades/REVISION.sql.gz

The tree's own server is started with a demo programme, an audience is played against it, and the tree's own journeys are
told to it, with their clocks moved. At last its workers are held, so that some actions are undecided and some messages
not handed out. What is there then is dumped whole: the schema as that version made it, and its rows.
"""

import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from plaudit.storage.embedded import program, running_url

MEMBERS, EVENTS = 6, 60


def main(tree: Path, out: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{tree}/src:{tree}", "PLAUDIT_PRIVATE_NETWORKS": "true"}
    subprocess.run([sys.executable, __file__, "--inside", str(out)], cwd=tree, env=environment, check=True)


def inside(out: Path) -> None:
    """Fill and dump, in a process whose `plaudit` and `tests` are the tree's."""
    from tests.journeys.test_cup import test_a_cup_and_a_draw, test_a_league_promotes_and_relegates_after_each_week
    from tests.journeys.test_season import test_a_season
    from tests.journeys.test_year_of_points import test_points_are_pending_spent_returned_and_expire
    from tests.support.server import Server

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Server(Path(folder) / "data").start()
        try:
            given = [f"--members={MEMBERS}", f"--events={EVENTS}", f"--url={server.url}", f"--data={server.folder}"]
            with server.client() as demo:
                listen_to(demo)
                subprocess.run([sys.executable, "-m", "plaudit", "play", *given], check=True)
                keep_all_sorts(demo)
            for journey in (
                test_a_season,
                test_a_cup_and_a_draw,
                test_a_league_promotes_and_relegates_after_each_week,
                test_points_are_pending_spent_returned_and_expire,
            ):
                with client_of_test(server) as shop:
                    journey(shop)
            leave_undone(server)
            dump = [program("pg_dump"), "--no-owner", "--no-privileges", running_url(server.folder / "postgres")]
            done = subprocess.run(dump, check=True, capture_output=True)
        finally:
            for pid in children(server):
                os.kill(pid, signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                server.stop()
    out.write_bytes(gzip.compress(done.stdout, 9, mtime=0))


def leave_undone(server) -> None:
    """Actions that are decided, whose messages nobody hands out; then some that nobody decides."""
    with server.client() as demo:
        hold(server, "deliver")
        report(demo, "late-1", "late-2", headers={"Prefer": "wait=10"})
        hold(server, "worker")
        report(demo, "waiting-1", "waiting-2", "waiting-3")
        time.sleep(2)  # the inbox gathers what concurrent requests bring


def report(demo, *keys: str, headers=None) -> None:
    for key in keys:
        body = {"userId": "zoe", "action": "shop_purchase", "eventId": key, "data": {"amount": 12.5, "currency": "GBP"}}
        demo.post("/api/audience/internal/actions", json=body, headers=headers).raise_for_status()


def hold(server, command: str) -> None:
    for pid in children(server):
        if f"\0{command}\0" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGSTOP)


def children(server) -> list[int]:
    pid = server.process.pid
    return [int(part) for part in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def client_of_test(server):
    """A client of a new test organisation, whose clock can be moved."""
    import httpx

    command = [sys.executable, "-m", "plaudit", "org", "create", "Shop", "--test", "--data", str(server.folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    headers = {"Authorization": f"Bearer {made[3]}", "X-Monterosa-Org-ID": made[1]}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def listen_to(demo) -> None:
    """A webhook that never responds, where that version has webhooks."""
    body = {"name": "CRM", "url": "http://127.0.0.1:9/hook", "events": ["transaction.created", "campaign.completed"]}
    demo.post("/v1/webhooks", json=body)


def keep_all_sorts(demo) -> None:
    """What the journeys leave out, where that version has it: codes, what is scarce, a repeated request, an import."""
    scarce = {"name": "Ten only", "triggers": [{"type": "match_checkin"}], "limit": {"overall": 10}, "effects": [
        {"type": "add_points", "config": {"amount": 1}},
    ]}  # fmt: skip
    demo.post("/v1/campaigns", json=scarce).raise_for_status()
    for action, data in (("shop_purchase", {"amount": 80}), ("match_checkin", {})):
        body = {"userId": "ann", "action": action, "data": data}
        demo.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"}).raise_for_status()
    headers = {"Idempotency-Key": "order-1"}
    for _ in range(2):
        demo.post("/v1/transactions", json={"userId": "ann", "amount": 5, "eventId": "gift"}, headers=headers)
    lines = '{"userId": "imported", "metrics": {"points": 70}}\n{"userId": "wrong", "metrics": {"gold": 1}}\n'
    demo.post("/v1/bulk/import", content=lines, headers={"Content-Type": "application/json"})
    demo.post("/v1/profiles/imported/consents", json={"purpose": "newsletter", "granted": True, "source": "shop"})


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
