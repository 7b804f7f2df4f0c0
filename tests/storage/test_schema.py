"""The migrations lead to schema.sql, and everything in it says what it is."""

import asyncio
from pathlib import Path

import asyncpg
from alembic.script import ScriptDirectory

from plaudit.storage import migrate
from plaudit.storage.schema import MIGRATIONS, REVISION

SCHEMA = (Path(migrate.__file__).parent / "schema.sql").read_text(encoding="utf-8")

# Everything that a schema consists of, as text; the months come and go, and Alembic's table is not ours.
DESCRIPTION = """
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
    || ' -- ' || coalesce(col_description(c.oid, a.attnum), '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'alembic_version'
UNION ALL
SELECT 'table ' || c.relname || coalesce(' with ' || c.reloptions::text, '') || ' -- ' || coalesce(obj_description(c.oid), '')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'alembic_version'
UNION ALL
SELECT 'index ' || pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname <> 'alembic_version'
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(o.oid)
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
WHERE o.connamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname <> 'alembic_version'
ORDER BY 1
"""


async def _descriptions(server: str, migrated: str) -> tuple[list[str], list[str]]:
    admin = await asyncpg.connect(server.replace("/plaudit?", "/postgres?"))
    await admin.execute("CREATE DATABASE from_schema")
    await admin.close()
    found = []
    for url in (migrated, server.replace("/plaudit?", "/from_schema?")):
        connection = await asyncpg.connect(url)
        if url != migrated:
            await connection.execute(SCHEMA)
        found.append([row[0] for row in await connection.fetch(DESCRIPTION)])
        await connection.close()
    return found[0], found[1]


def test_the_migrations_lead_to_the_schema(server, fresh_database):
    migrated, written = asyncio.run(_descriptions(server, fresh_database))
    assert migrated == written
    assert [line for line in written if line.startswith(("column", "table")) and line.endswith("-- ")] == []


def test_the_newest_migration_is_told_by_its_name():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION
