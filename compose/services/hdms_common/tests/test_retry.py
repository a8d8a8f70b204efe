import pytest

from hdms_common.retry import backoff_delay, retried


class Clock:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def test_delays_double_up_to_a_limit():
    for failures in range(1, 40):
        full = min(2.0, 0.1 * 2 ** (failures - 1))
        assert full / 2 <= backoff_delay(failures) <= full


def test_tries_again_until_it_succeeds():
    clock = Clock()
    answers = [OSError(), OSError(), OSError(), "done"]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retried(call, lambda error: True, 10, clock.sleep, clock) == "done"
    assert len(clock.slept) == 3
    assert clock.slept[2] > clock.slept[0]


def test_gives_up_in_time_and_at_once_where_it_must():
    clock = Clock()

    def call():
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        retried(call, lambda error: True, 5, clock.sleep, clock)
    assert 3 < clock.now <= 5
    clock.slept.clear()
    with pytest.raises(OSError, match="down"):
        retried(call, lambda error: False, 5, clock.sleep, clock)
    assert clock.slept == []
