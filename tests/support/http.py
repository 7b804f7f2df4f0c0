"""What responses of the API contain, and that they are as expected."""


def ok(response, status=200):
    """Return the data of a response with this status."""
    assert response.status_code == status, response.text
    return response.json().get("data", response.json())


def saved(response):
    """Return what a request saved."""
    assert response.status_code in (200, 201), response.text
    return response.json()["data"]


def wrong(response):
    """Return the fields that a request has wrong, with the reasons."""
    assert response.status_code == 400, response.text
    return {error["field"]: error["message"] for error in response.json()["error"]["details"]}
