"""Files of records: encodings, separators, quotes and headers; every line is taken or refused, whatever the pieces."""

import asyncio
import csv
import io
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.documents.columns import CODE_COLUMNS, Columns, EventColumns, member_columns
from plaudit.documents.custom_field import CustomField
from plaudit.documents.profile import ProfileValidator, validator_for
from plaudit.documents.profile_schema import ProfileField, ProfileSchema
from plaudit.documents.trigger import Trigger, TriggerField
from plaudit.errors import Conflict, Invalid
from plaudit.imports.csv_records import RECORD_BYTES_MAX, RECORD_LINES_MAX
from plaudit.imports.file_lines import LINE_BYTES_MAX
from plaudit.imports.reader import Records
from plaudit.storage import jobs
from plaudit.storage.jobs import Job

NOBODY = UUID(int=0)
ANY_PROFILE = member_columns(ProfileValidator())


def read(file: bytes | str, columns: Any = ANY_PROFILE, *, piece: int = 1 << 16, after: int = 0):
    """What a file says by line: the record, or the sentence of what is wrong."""
    data = file.encode() if isinstance(file, str) else file

    async def parts():
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    async def all_of() -> dict:
        records = Records(parts(), columns)
        found = {line.number: line async for line in records.after(after)}
        assert records.count >= len(found)
        return {
            number: line.error.message if line.error is not None else line.read().value
            for number, line in found.items()
        }

    return asyncio.run(all_of())


HEAD = "userId,firstName,metrics.points\n"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param('r2,5" pipe,2\nr3,Cy,3\n', {2: {"userId": "r2", "firstName": '5" pipe', "metrics": {"points": 2}},
                     3: {"userId": "r3", "firstName": "Cy", "metrics": {"points": 3}}}, id="a quote inside a cell is a quote"),
        pytest.param('r2,"pipe,2\nr3,Cy,3\n', {2: "The line has a quote that is not closed",
                     3: {"userId": "r3", "firstName": "Cy", "metrics": {"points": 3}}}, id="a quote that is never closed costs its line"),
        pytest.param('r2,"pipe,2\nr3,"Cy, jr",3\n', {2: "The line has a quote that is not closed",
                     3: {"userId": "r3", "firstName": "Cy, jr", "metrics": {"points": 3}}}, id="a quote closed by the next row's costs its line"),
        pytest.param('r2,"pipe,2\nr3,Cy,"\nr4,Di,4\n', {2: "The line has a quote that is not closed",
                     3: "The line has a quote that is not closed",
                     4: {"userId": "r4", "firstName": "Di", "metrics": {"points": 4}}}, id="rows joined by quotes are not taken as one"),
        pytest.param('r2,"New\nYork",2\nr3,,3\n', {2: {"userId": "r2", "firstName": "New\nYork", "metrics": {"points": 2}},
                     4: {"userId": "r3", "metrics": {"points": 3}}}, id="a quoted cell may have several lines"),
        pytest.param('r2,"Ann"a,1\n', {2: "The line is not CSV: ',' expected after '\"'"}, id="text after a quoted cell is refused"),
        pytest.param("r2,Ann\n", {2: "The line has 2 cells, but the header has 3; quote cells that contain separators"}, id="a short row is refused"),
        pytest.param("r2,Ann,1,2\n", {2: "The line has 4 cells, but the header has 3; quote cells that contain separators"}, id="a long row is refused"),
        pytest.param("r2,Ann,1,,\n,,,,\n\n", {2: {"userId": "r2", "firstName": "Ann", "metrics": {"points": 1}}}, id="empty cells and rows at the end are nothing"),
        pytest.param("r2,Ann,seven\n", {2: "metrics.points must be a number such as 1234.5 (got 'seven')"}, id="a word is no number"),
        pytest.param('r2,Ann,"1,5"\n', {2: "metrics.points must be a number such as 1234.5 (got '1,5')"}, id="a comma is no decimal point"),
        pytest.param(" r2 , Ann , 7 \n", {2: {"userId": "r2", "firstName": " Ann ", "metrics": {"points": 7}}}, id="blanks around ids and numbers are none of theirs"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_rows_of_csv(rows, expected, piece):
    assert read(HEAD + rows, piece=piece) == expected


def test_a_line_that_is_not_utf8_or_too_long_costs_itself_only():
    file = HEAD.encode() + b"r2,Gr\xf6\xdfe,2\nr3,Cy,3\nr4," + b"x" * LINE_BYTES_MAX + b",4\nr5,Di,5\n"
    found = read(file)
    assert found[2] == "The line is not UTF-8 (byte 0xf6)"
    assert found[4] == "The line has more than 1,048,576 bytes"
    assert [found[number]["userId"] for number in (3, 5)] == ["r3", "r5"]


def test_an_open_quote_holds_back_no_more_lines_than_a_record_may_have():
    rows = "u,x,1\n" * (RECORD_LINES_MAX - 1)
    assert read(HEAD + 'r2,"open\n' + rows + 'closed",2\n')[2] == "The line has a quote that is not closed"
    assert list(read(HEAD + 'r2,"open\n' + rows.removeprefix("u,x,1\n") + 'closed",2\n')) == [2]


def test_rows_are_read_one_by_one_however_many_come_at_once():
    cells: list[str] = []
    columns = Columns({"code": lambda cell: cells.append(cell) or cell}, {}, required=("code",))

    async def parts():
        yield b"code\nA\nB\nC\n"

    async def first() -> int:
        async for line in Records(parts(), columns).after(0):
            return line.number
        raise AssertionError

    assert (asyncio.run(first()), cells) == (2, ["A"])


def test_an_open_quote_does_not_keep_more_than_a_record_may_have():
    rows = "".join(f"u{number},{'x' * 1_000},1\n" for number in range(2 * RECORD_BYTES_MAX // 1_000))
    found = read(HEAD + 'r2,"open,2\n' + rows)
    assert found.pop(2) == "The line has a quote that is not closed"
    assert len(found) == 2 * RECORD_BYTES_MAX // 1_000
    assert all(isinstance(record, dict) for record in found.values())


@pytest.mark.parametrize(
    "file",
    [
        pytest.param("userId;city\nann;Rom, Italien\n", id="semicolons"),
        pytest.param("userId\tcity\nann\tRom, Italien\n", id="tabs"),
        pytest.param("sep=;\r\nuserId;city\r\nann;Rom, Italien\r\n", id="named by Excel"),
        pytest.param('userId,city\rann,"Rom, Italien"\r', id="carriage returns alone"),
        pytest.param('\ufeffuserId,city\nann,"Rom, Italien"', id="a byte order mark"),
        pytest.param("userId;city\nann;Rom, Italien\n".encode("utf-16"), id="UTF-16"),
        pytest.param("\ufeffuserId;city\nann;Rom, Italien\n".encode("utf-16-be"), id="UTF-16, big end first"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_what_spreadsheets_write_is_read(file, piece):
    assert list(read(file, piece=piece).values()) == [{"userId": "ann", "city": "Rom, Italien"}]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("userId,metrics.points,email,metrics.points\na,1,,2\n", "The header must have each column once (got 'metrics.points' twice)"),
        ("email,city\na@x.org,Rome\n", "The header must have a column userId (got email, city)"),
        ("userId,,city\na,b,c\n", "Column 2 of the header must have a name"),
        ("userId,Email\na,b\n", "The header must have email instead of Email"),
        ("userId,team,custom.team\na,Reds,Blues\n", "The header must have each field once (got both team and custom.team)"),
        ("userId,custom.team,customFields.team\na,Reds,\n", "The header must have each field once (got both custom.team and customFields.team)"),
        ("userId,customFields,customFields.team\na,5,Reds\n", "The header has an unknown column 'customFields'"),
        ("userId,products,products.cup\na,5,1\n", "The header has an unknown column 'products'"),
        ("userId,points\na,1\n", "The header has an unknown column 'points'; known are userId, "),
        (b"userId,metrics.points,Gr\xf6\xdfe\nl1,10,M\n", "The header is not UTF-8 (byte 0xf6); save the file as UTF-8"),
        ('"userId,city\nann,Rome\n', "The header cannot be read: The line has a quote that is not closed"),
        (b"PK\x03\x04\x14\x00", "The file is an Excel workbook or an archive; save it as CSV or NDJSON in UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1", "The file is an Excel workbook; save it as CSV or NDJSON in UTF-8"),
        ("x;a,b;y\n1;2,3;4\n", "The header must have a column userId (got x, a,b, y)"),
        ("x,a;b,y;z\n1;2,3;4\n", "The header could be separated by commas or semicolons (got 'x,a;b,y;z')"),
        ("\n\n", "The file has no header"),
    ],
)  # fmt: skip
def test_a_header_that_is_unknown_or_can_be_read_in_two_ways_is_refused_before_any_row(file, sentence):
    with pytest.raises(Invalid) as raised:
        read(file)
    assert raised.value.message.startswith(sentence)


def test_the_type_of_a_cell_is_that_of_its_field():
    schema = ProfileSchema(name="p", fields=[
        ProfileField(name="age", type="number"), ProfileField(name="vip", type="boolean"), ProfileField(name="card"),
        ProfileField(name="born", type="date"), ProfileField(name="sizes", type="array")])  # fmt: skip
    team = CustomField(name="Team", key="team", type="number")
    columns = member_columns(validator_for(schema, [team]))
    found = read(
        "userId,age,vip,card,born,sizes,custom.team\n0070,41,TRUE,0815,1990-01-02,S|M,7\nbob,old,maybe,,,,\n", columns
    )
    assert found[2] == {
        "userId": "0070", "age": 41, "vip": True, "card": "0815", "born": "1990-01-02", "sizes": ["S", "M"],
        "customFields": {"team": 7},
    }  # fmt: skip
    assert found[3] == (
        "2 fields are invalid: age must be a number such as 1234.5 (got 'old'); vip must be true or false (got 'maybe')"
    )
    with pytest.raises(Invalid, match="unknown column 'height'"):
        read("userId,height\nann,1\n", columns)


def test_actions_have_columns_for_their_data():
    fields = [TriggerField(key="amount", type="number"), TriggerField(key="sku")]
    columns = EventColumns({"buy": Trigger(name="b", key="buy", fields=fields)})
    found = read(
        "action,userId,data.amount,data.sku,data.shop.open,data.zip\n"
        "buy,ann,7.5,00123,true,0815\nlook,ann,3,7,no,1e3\nbuy,ann,x,,,\n",
        columns,
    )  # fmt: skip
    assert found[2]["data"] == {"amount": 7.5, "sku": "00123", "shop": {"open": True}, "zip": "0815"}
    assert found[3]["data"] == {"amount": 3, "sku": 7, "shop": {"open": "no"}, "zip": 1000.0}
    assert found[4] == "data.amount must be a number such as 1234.5 (got 'x')"


def test_a_byte_order_mark_before_json_is_passed_over():
    assert read('\ufeff{"userId":"n1"}\n{"userId":"n2"}\n', None) == {1: {"userId": "n1"}, 2: {"userId": "n2"}}


def test_records_that_are_done_are_counted_and_not_read_again():
    assert list(read("poolId,code\np,A\np,B\np,C\n", CODE_COLUMNS, after=3)) == [4]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=30), st.sampled_from(",;\t|"), st.integers(1, 40))
def test_what_is_written_as_csv_is_read_as_it_was(rows, delimiter, piece):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("userId", "note"), *rows])
    found = read(file.getvalue(), piece=piece)
    expected = [
        {name: value for name, value in (("userId", user.strip()), ("note", note)) if value or (name == "userId" and user)}
        for user, note in rows
        if user or note
    ]  # fmt: skip
    assert list(found.values()) == expected


@given(st.text(st.sampled_from('ab,"\n'), max_size=60), st.integers(1, 70))
def test_however_a_file_is_quoted_every_line_is_taken_or_refused_and_pieces_make_no_difference(rows, piece):
    file = "userId,note\n" + rows
    found = read(file, piece=piece)
    assert found == read(file)
    covered = sum(
        1 if isinstance(record, str) else 1 + sum(cell.count("\n") for cell in record.values())
        for record in found.values()
    )
    filled = [line for line in file.split("\n")[1:] if line.replace(",", "").replace('""', "")]
    assert covered >= len(filled) - rows.count('"')  # blank lines inside of cells, and cells of nothing but quotes


def test_a_job_that_has_lost_a_record_is_not_finished():
    job = Job(job_id=NOBODY, org_id=NOBODY, kind="members", accepted=3, unchanged=1, refused=1)
    jobs.check_counts(job, 5)
    with pytest.raises(Conflict, match="The file has 6 records, but 5 were accepted, unchanged or refused"):
        jobs.check_counts(job, 6)
