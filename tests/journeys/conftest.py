"""What the journeys ask of an answer."""


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json().get("data", answer.json())
