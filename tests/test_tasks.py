"""Tasks beside each other: one error ends all, and each is cancelled once."""

import asyncio

import pytest

from plaudit.tasks import cancel, run_together


async def for_ever(notes: list[str]) -> None:
    """As what gives back a connection does: it is not done at once when it is cancelled."""
    try:
        await asyncio.Event().wait()
    finally:
        for _ in range(3):
            await asyncio.sleep(0)
        notes.append("given back")


async def broken() -> None:
    raise LookupError


async def at_once(_told: list[str]) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("other", [at_once, for_ever])
def test_what_is_cancelled_together_finishes_what_it_cleans_up(other):
    async def scenario() -> list[str]:
        notes: list[str] = []
        together = asyncio.create_task(run_together(other(notes), for_ever(notes)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await cancel([together])
        assert together.cancelled()
        return notes

    assert asyncio.run(scenario()) == ["given back"] * (1 + (other is for_ever))


def test_one_error_ends_all_and_is_raised():
    async def scenario() -> list[str]:
        notes: list[str] = []
        with pytest.raises(LookupError):
            await run_together(for_ever(notes), broken())
        return notes

    assert asyncio.run(scenario()) == ["given back"]


def test_what_ended_with_an_error_is_not_told_again():
    async def scenario() -> None:
        ended = asyncio.create_task(broken())
        await asyncio.sleep(0)
        await cancel([ended])

    asyncio.run(scenario())
