"""The PostgreSQL that comes along is set up for the machine that it is on."""

import pytest

from plaudit.storage.embedded import buffers_for

GB = 1 << 30


@pytest.mark.parametrize(("memory", "buffers"), [(GB // 2, GB // 8), (16 * GB, 2 * GB), (1024 * GB, 4 * GB)])
def test_it_keeps_pages_in_an_eighth_of_the_memory_within_bounds(memory, buffers):
    assert buffers_for(memory) == buffers
