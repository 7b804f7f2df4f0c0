"""What a process was at when it ended is told apart from what waited meanwhile."""

import asyncio
from uuid import UUID

import pytest

from plaudit.guard import Slot

ORG, FIRST, SECOND = UUID(int=1), UUID(int=2), UUID(int=3)


def at_present(slot: Slot) -> tuple[str, UUID, UUID | None] | None:
    left = slot.left()
    return None if left is None or left.doing is None else (left.doing.kind, left.doing.id, left.doing.org_id)


def test_of_work_side_by_side_that_is_noted_which_runs():
    slot, seen = Slot(), []

    async def work(name: UUID) -> UUID:
        for _ in range(3):
            seen.append((name, at_present(slot)))
            await asyncio.sleep(0)
        return name

    async def both() -> list[UUID]:
        return await asyncio.gather(
            *(slot.steps("message", message_id, ORG, work(message_id)) for message_id in (FIRST, SECOND))
        )

    assert asyncio.run(both()) == [FIRST, SECOND]
    assert seen == [(message_id, ("message", message_id, ORG)) for _ in range(3) for message_id in (FIRST, SECOND)]
    assert at_present(slot) is None


def test_what_is_done_in_one_go_within_a_step_is_to_blame_for_itself():
    slot, seen = Slot(), []

    async def work() -> None:
        with slot.doing("programme", SECOND, ORG):
            seen.append(at_present(slot))
        seen.append(at_present(slot))

    asyncio.run(slot.steps("segment", FIRST, ORG, work()))
    assert seen == [("programme", SECOND, ORG), ("segment", FIRST, ORG)]


def test_work_whose_steps_are_noted_raises_and_is_cancelled_as_any_other():
    slot = Slot()

    async def raises() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    async def ends_well() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "ended well"
        return ""

    async def cancelled() -> str:
        task = asyncio.create_task(slot.steps("league", FIRST, ORG, ends_well()))
        await asyncio.sleep(0)
        assert at_present(slot) is None
        task.cancel()
        return await task

    async def timed_out() -> None:
        async with asyncio.timeout(0):
            await slot.steps("league", FIRST, ORG, asyncio.Event().wait())

    with pytest.raises(KeyError):
        asyncio.run(slot.steps("league", FIRST, ORG, raises()))
    assert asyncio.run(cancelled()) == "ended well"
    with pytest.raises(TimeoutError):
        asyncio.run(timed_out())
    assert at_present(slot) is None
