"""A bulk import of members, beside a bare COPY of the rows that they become in the table of members."""

import time
from collections.abc import AsyncGenerator

import msgspec

from plaudit import clock
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.imports import runner
from plaudit.storage import jobs
from plaudit.storage.orgs import create_org
from plaudit.storage.postgres import create_pool
from plaudit.storage.programmes import Programmes

PART_BYTES = 1 << 18


def _record(number: int) -> dict[str, object]:
    return {
        "userId": f"import_{number}", "firstName": f"First {number}", "country": "GB", "city": "London",
        "favourite": "Reds",
    }  # fmt: skip


async def import_rates(url: str, members: int) -> tuple[float, float]:
    """Members a second: imported, line by line, into the log and the books; and by a bare COPY."""
    pool = await create_pool(url, size=4, by_key=True)
    async with pool.acquire() as connection:
        org_id = (await create_org(connection, "Import", clock.now())).org_id
        other = (await create_org(connection, "Copy", clock.now())).org_id
    body = b"\n".join(msgspec.json.encode(_record(number)) for number in range(members))

    async def parts() -> AsyncGenerator[bytes]:
        for start in range(0, len(body), PART_BYTES):
            yield body[start : start + PART_BYTES]

    programmes = Programmes(pool, url)
    job = await jobs.start(pool, org_id, "members", "bench", None)
    started = time.perf_counter()
    async for _ in runner.run_job(pool, programmes, job, parts(), is_csv=False):
        pass
    imported = members / (time.perf_counter() - started)
    assert job.accepted == members

    started = time.perf_counter()
    now = clock.now()
    rows = []
    for number in range(members):
        record = _record(number)
        user_id = str(record.pop("userId"))
        member_id = member_id_of(other, user_id)
        attributes = msgspec.json.encode(record).decode()
        rows.append((bucket_of(member_id), member_id, other, user_id, attributes, now, now, 1))
    columns = ("bucket", "member_id", "org_id", "user_id", "attributes", "enrolled_at", "latest_at", "sequence")
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("members", records=rows, columns=columns)
    copied = members / (time.perf_counter() - started)
    await pool.close()
    return imported, copied
