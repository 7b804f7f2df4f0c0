"""Imports of many chunks, several of which are on their way at a time: in this process, and with helpers."""

import asyncio
import json
import multiprocessing
import subprocess
import sys

import pytest

from plaudit.engine import imports, jobs
from plaudit.engine.import_hands import Helper, Helpers
from plaudit.errors import Invalid, Unavailable

MEMBERS = 90


class Watched:
    """The helpers of the job that runs, and what they are given."""

    def __init__(self, monkeypatch, *, wanted: bool):
        self.wanted = wanted
        self.parts = 0
        self.helpers: Helpers | None = None

        def start(helpers, begin=Helpers.start):
            self.helpers = helpers
            if wanted:
                begin(helpers)

        async def work(helper, part, work=Helper.work):
            self.parts += 1
            return await work(helper, part)

        monkeypatch.setattr(Helpers, "start", start)
        monkeypatch.setattr(Helper, "work", work)

    async def there(self) -> None:
        while self.wanted and (self.helpers is None or not self.helpers.there()):
            await asyncio.sleep(0.01)


@pytest.fixture(params=["alone", "helped"])
def watched(monkeypatch, request) -> Watched:
    monkeypatch.setattr(imports, "CHUNK", 7)
    monkeypatch.setattr(imports, "TOGETHER_MAX", 3)
    return Watched(monkeypatch, wanted=request.param == "helped")


async def run(stage, watched, lines, taken_up=None, *, broken=False, then=lambda: None):
    async def parts():
        said = [json.dumps(one).encode() + b"\n" for one in lines]
        yield b"".join(said[:7])
        await watched.there()
        then()
        yield b"".join(said[7:])
        if broken:
            raise Invalid("the stream broke off")

    job = await jobs.begin(stage.pool, stage.org_id, "members", "test", taken_up)
    async for _ in imports.run_job(stage.pool, stage.programs, job, parts(), is_csv=False):
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
    begun = [each for n in range(8, MEMBERS) for each in (first[n], other[n - 8])]  # in the next chunk or the one after
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
            with pytest.raises(Unavailable, match="A process of the import has ended"):
                await run(stage, watched, lines, then=kill)
            job_id, done, state = await job_of(stage)
            assert (done, state) == (7, "failed")
            job = await run(stage, watched, lines, job_id)
            assert (job.lines, job.accepted, len(await cities(stage))) == (MEMBERS, MEMBERS, MEMBERS)

    asyncio.run(play())


def test_lines_that_are_wrong_are_told_by_whoever_reads_them(staged, database, watched):
    lines = [line(number, "London") for number in range(MEMBERS)]
    for number, wrong in {
        3: [],
        20: {"userId": 7},
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
            assert [(one["line"], one["message"]) for one in told] == [
                (4, "The body must be an object"),
                (21, "userId must be a text (got an integer)"),
                (41, "Missing required fields: userId"),
                (61, "points is kept by the books and cannot be written"),
            ]

    asyncio.run(play())


OWNER = """
import asyncio, sys, time
from plaudit.engine.import_hands import Helper
helper = Helper(sys.argv[1])
asyncio.run(helper.ready())
print("ready", flush=True)
time.sleep(600)
"""


def test_helpers_end_with_a_process_that_is_killed(database):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, database], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    owner.kill()
    owner.communicate(timeout=30)  # which has an end when nobody is left who could write to it
