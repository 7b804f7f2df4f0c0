"""Imports of many chunks, several of which are on their way at a time."""

import asyncio
import json

import pytest

from plaudit.engine import imports, jobs
from plaudit.errors import Invalid

MEMBERS = 90


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 7)
    monkeypatch.setattr(imports, "TOGETHER_MAX", 3)


async def run(stage, lines, taken_up=None, *, broken=False):
    async def parts():
        yield "\n".join(map(json.dumps, lines)).encode() + b"\n"
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


def test_of_two_lines_about_a_member_the_first_counts_in_whichever_chunks_they_are(staged, database):
    first = [line(number, "London") for number in range(MEMBERS)]
    other = [line(number, "Paris") for number in range(MEMBERS)]
    begun = [each for n in range(8, MEMBERS) for each in (first[n], other[n - 8])]  # in the next chunk or the one after
    behind = [*first[:8], *begun]

    async def play():
        async with staged(database) as stage:
            job = await run(stage, [*behind, *first])
            assert job.accepted == job.unchanged == MEMBERS
            assert job.refused == len(behind) - MEMBERS > 80
            assert await cities(stage) == ["London"] * MEMBERS
            assert sum([await stage.points(f"user_{number}") for number in range(MEMBERS)]) == MEMBERS * 10

    asyncio.run(play())


def test_a_job_whose_stream_broke_off_has_done_what_it_says_and_can_be_taken_up(staged, database):
    lines = [line(number, "London") for number in range(MEMBERS)]

    async def play():
        async with staged(database) as stage:
            with pytest.raises(Invalid):
                await run(stage, lines[:50], broken=True)
            (row,) = await stage.fetch("SELECT job_id, lines, state FROM jobs WHERE org_id = $1", stage.org_id)
            assert (row["lines"], row["state"]) == (49, "failed")  # whole chunks
            assert len(await cities(stage)) == 49
            job = await run(stage, lines, row["job_id"])
            assert (job.lines, job.accepted, len(await cities(stage))) == (MEMBERS, MEMBERS, MEMBERS)

    asyncio.run(play())
