"""Response types of the operations on the profile schema."""

from plaudit.documents.profile_schema import ProfileField

from .base import Time, View, page_of


class SchemaFields(View):
    """The fields of profiles."""

    fields: list[ProfileField]


class ProfileSchemaVersion(View):
    """A version of the profile schema. The first is Plaudit's own, without `createdAt`."""

    org_id: str
    version: str
    is_active: bool
    schema: SchemaFields
    created_at: Time | None
    created_by: str


ProfileSchemaVersionList = page_of(ProfileSchemaVersion, "versions")
