"""Imports of many chunks, several of which are on their way at a time: in this process, and with subprocesses."""

import asyncio
import json
import multiprocessing
import subprocess
import sys
from datetime import timedelta

import pytest
from asyncpg import UniqueViolationError
from msgspec import structs
from typer.testing import CliRunner

from plaudit import clock
from plaudit.cli.main import app
from plaudit.errors import Invalid, PlauditError, Unavailable
from plaudit.imports import runner
from plaudit.imports.workers import ImportPool, ImportSubprocess, LocalImporter
from plaudit.storage import jobs
from tests.support.eventually import eventually_async

MEMBERS = 90


class Watched:
    """The subprocesses of the job that runs, and what they are given."""

    def __init__(self, monkeypatch, *, wanted: bool):
        self.wanted = wanted
        self.parts = 0
        self.subprocesses: ImportPool | None = None

        def start(subprocesses, begin=ImportPool.start):
            self.subprocesses = subprocesses
            if wanted:
                begin(subprocesses)

        async def work(helper, part, work=ImportSubprocess.work):
            self.parts += 1
            return await work(helper, part)

        monkeypatch.setattr(ImportPool, "start", start)
        monkeypatch.setattr(ImportSubprocess, "work", work)

    async def ready(self) -> None:
        if self.wanted:
            await eventually_async(lambda: self.subprocesses is not None and self.subprocesses.ready())


@pytest.fixture(params=["alone", "helped"])
def watched(monkeypatch, request) -> Watched:
    monkeypatch.setattr(runner, "CHUNK_LINES", 7)
    monkeypatch.setattr(runner, "SINGLE_BATCH_LINES_MAX", 3)
    return Watched(monkeypatch, wanted=request.param == "helped")


async def run(stage, watched, lines, taken_up=None, *, broken=False, then=lambda: None):
    async def parts():
        said = [json.dumps(record).encode() + b"\n" for record in lines]
        yield b"".join(said[:7])
        await watched.ready()
        then()
        yield b"".join(said[7:])
        if broken:
            raise Invalid("the stream broke off")

    job = await jobs.start(stage.pool, stage.org_id, "members", "test", taken_up)
    async for _ in runner.run_job(stage.pool, stage.programmes, job, parts(), is_csv=False):
        pass
    return job


def line(number: int, city: str) -> dict:
    return {"userId": f"user_{number}", "city": city, "metrics": {"points": 10}}


async def cities(stage) -> list[str]:
    rows = await stage.fetch("SELECT attributes ->> 'city' AS city FROM members WHERE org_id = $1", stage.org_id)
    return [row["city"] for row in rows]


async def job_of(stage) -> tuple:
    (row,) = await stage.fetch("SELECT job_id, lines, state FROM jobs WHERE org_id = $1", stage.org_id)
    return tuple(row)


def test_of_two_lines_about_a_member_the_first_counts_in_whichever_chunks_they_are(staged, database, watched):
    first = [line(number, "London") for number in range(MEMBERS)]
    other = [line(number, "Paris") for number in range(MEMBERS)]
    begun = [row for n in range(8, MEMBERS) for row in (first[n], other[n - 8])]  # in the next chunk or the one after
    behind = [*first[:8], *begun]

    async def play():
        async with staged(database) as stage:
            job = await run(stage, watched, [*behind, *first])
            assert job.accepted == job.unchanged == MEMBERS
            assert job.refused == len(behind) - MEMBERS > 80
            assert await cities(stage) == ["London"] * MEMBERS
            assert sum([await stage.points(f"user_{number}") for number in range(MEMBERS)]) == MEMBERS * 10
            assert (watched.parts > 20) == watched.wanted

    asyncio.run(play())


def test_a_job_whose_stream_broke_off_has_done_what_it_says_and_can_be_taken_up(staged, database, watched):
    lines = [line(number, "London") for number in range(MEMBERS)]

    async def play():
        async with staged(database) as stage:
            with pytest.raises(Invalid):
                await run(stage, watched, lines[:50], broken=True)
            job_id, done, state = await job_of(stage)
            assert (done, state) == (49, "failed")  # whole chunks
            assert len(await cities(stage)) == 49
            job = await run(stage, watched, lines, job_id)
            assert (job.lines, job.accepted, len(await cities(stage))) == (MEMBERS, MEMBERS, MEMBERS)

    asyncio.run(play())


@pytest.mark.parametrize("watched", ["helped"], indirect=True)
def test_a_job_whose_helper_was_killed_fails_and_can_be_taken_up(staged, database, watched):
    lines = [line(number, "London") for number in range(MEMBERS)]

    def kill():
        for child in multiprocessing.active_children():
            child.kill()
            child.join()

    async def play():
        async with staged(database) as stage:
            with pytest.raises(Unavailable, match="An import process died; resume the job"):
                await run(stage, watched, lines, then=kill)
            job_id, done, state = await job_of(stage)
            assert (done, state) == (7, "failed")
            job = await run(stage, watched, lines, job_id)
            assert (job.lines, job.accepted, len(await cities(stage))) == (MEMBERS, MEMBERS, MEMBERS)

    asyncio.run(play())


def test_a_job_that_meets_an_error_nobody_expected_fails_and_tells_no_row(
    staged, database, watched, monkeypatch, tmp_path
):
    lines = [line(number, "London") for number in range(MEMBERS)]
    file = tmp_path / "members.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in lines))

    async def raising(_hand, _part):
        raise UniqueViolationError("Key (value)=(ann@example.org) already exists.")

    monkeypatch.setattr(LocalImporter, "work", raising)
    watched.wanted = False

    async def play():
        async with staged(database) as stage:
            with pytest.raises(UniqueViolationError):
                await run(stage, watched, lines)
            job_id, done, state = await job_of(stage)
            assert (done, state) == (0, "failed")
            (told,) = await stage.fetch("SELECT line, message FROM job_errors WHERE job_id = $1", job_id)
            assert told["line"] == 1
            assert told["message"].startswith("A server error interrupted the import (UniqueViolation")
            assert "ann@" not in told["message"]
            command = ["import", str(file), "--org", str(stage.org_id), "--database-url", database]
            said = await asyncio.to_thread(CliRunner().invoke, app, command)
            assert isinstance(said.exception, PlauditError)
            assert "broke off after line 0 because of an error (asyncpg" in said.exception.message
            assert "ann@" not in said.exception.message
            assert said.exception.__suppress_context__
            states = await stage.fetch("SELECT state FROM jobs WHERE org_id = $1", stage.org_id)
            assert [delivery["state"] for delivery in states] == ["failed", "failed"]

    asyncio.run(play())


def test_lines_that_are_wrong_are_told_by_whoever_reads_them(staged, database, watched):
    lines = [line(number, "London") for number in range(MEMBERS)]
    for number, wrong in {
        3: [],
        20: {"userId": True},
        40: {"city": "Rome"},
        60: line(60, "London") | {"points": 1},
    }.items():
        lines[number] = wrong

    async def play():
        async with staged(database) as stage:
            job = await run(stage, watched, lines)
            assert (job.accepted, job.refused) == (MEMBERS - 4, 4)
            async with stage.pool.acquire() as connection:
                told = await jobs.errors_of(connection, job.job_id, 0, 9)
            assert [(error["line"], error["message"]) for error in told] == [
                (4, "The body must be an object"),
                (21, "userId must be a string (got true or false)"),
                (41, "Missing required fields: userId"),
                (61, "points is computed and cannot be set"),
            ]

    asyncio.run(play())


OWNER = """
import asyncio, signal, sys
from plaudit.imports.workers import ImportSubprocess
helper = ImportSubprocess(sys.argv[1])
asyncio.run(helper.ready())
print("ready", flush=True)
signal.pause()
"""


def test_helpers_end_with_a_process_that_is_killed(database):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, database], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    owner.kill()
    owner.communicate(timeout=30)  # which has an end when nobody is left who could write to it


def test_timers_wait_for_an_import_until_it_ends_or_has_not_moved_for_an_hour(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            await stage.change("metric", "points", expiry={"type": "rolling", "days": 30})
            await stage.pay()
            past = clock.now() - timedelta(days=400)
            arrivals = [structs.replace(stage.arrival(user), occurred_at=past) for user in ("ann", "bob")]
            job = await jobs.start(stage.pool, stage.org_id, jobs.EVENTS, "test", None)
            async with stage.pool.acquire() as connection:
                for _ in range(2):  # a chunk may come twice
                    await jobs.take_members(
                        connection, job.job_id, [(arrival.bucket, arrival.member_id) for arrival in arrivals[:1]]
                    )
            await stage.append(*arrivals)
            await stage.drain()
            worker = stage.worker()
            await worker.renew_leases()

            async def expired() -> list[str]:
                """Who has no points any more, after the workers have been quiet for a while."""
                await stage.fetch("UPDATE positions SET moved_at = moved_at - interval '1 minute'")
                while await worker.run_timers_once():
                    pass
                return [user for user in ("ann", "bob") if await stage.points(user) == 0]

            assert await expired() == ["bob"]
            await jobs.fail(stage.pool, job, Invalid("The stream broke off"))
            assert await expired() == ["bob"]  # it may be taken up
            job = await jobs.start(stage.pool, stage.org_id, jobs.EVENTS, "test", job.job_id)
            await stage.fetch("UPDATE jobs SET moved_at = moved_at - $1::interval", jobs.ABANDONED_AFTER)
            assert await expired() == ["ann", "bob"]
            await worker.release()
            await stage.assert_invariants_hold()

    asyncio.run(scenario())


def test_an_event_of_an_import_comes_after_what_was_due_before_it_whoever_waits(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            await stage.change("metric", "points", expiry={"type": "rolling", "days": 30})
            await stage.pay()
            job = await jobs.start(stage.pool, stage.org_id, jobs.EVENTS, "test", None)
            first = structs.replace(stage.arrival(), occurred_at=clock.now() - timedelta(days=400))
            second = structs.replace(stage.arrival(), occurred_at=clock.now() - timedelta(days=300))
            async with stage.pool.acquire() as connection:
                await jobs.take_members(connection, job.job_id, [(first.bucket, first.member_id)])
            await stage.append(first)
            await stage.drain()
            assert await stage.points() == 10
            await stage.append(second)
            await stage.drain()
            assert await stage.points() == 10  # the first ten have expired, the second ten are to come
            kinds = [row["kind"] for row in await stage.fetch("SELECT kind FROM events ORDER BY position")]
            assert kinds == ["action", "timer", "action"]

    asyncio.run(scenario())
