"""Who a member is, by another name."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from plaudit.core.identities import KINDS, names_in
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)


async def users_known_as(
    connection: Connection, org_id: UUID, texts: Iterable[str], unique: Sequence[str] = ()
) -> dict[str, str]:
    """The user ids behind those of these texts that are somebody's name of one of the `unique` kinds."""
    names = {text: names_in(text) for text in texts}
    kinds = [kind for each in names.values() for kind, _ in each]
    values = [value for each in names.values() for _, value in each]
    rows = await connection.fetch(
        SQL.users_known_as, org_id, kinds, values, [one for one in unique if one not in KINDS]
    )
    users = {row["value"]: row["user_id"] for row in rows}
    return {text: users[value] for text, each in names.items() for _, value in each if value in users}
