"""What came of a request to save something: what was saved, or what is wrong with it."""


def saved(response):
    """What was saved."""
    assert response.status_code in (200, 201), response.text
    return response.json()["data"]


def wrong(response):
    """The fields that are wrong, with the reasons."""
    assert response.status_code == 400, response.text
    return {one["field"]: one["message"] for one in response.json()["error"]["details"]}
