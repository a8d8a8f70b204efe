"""The Python half of the fan-out tester counts as the C++ half does."""

import pytest

from bench.load import fanout_worker


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(-3, 0), (0, 0), (63, 63), (64, 64), (127, 127), (128, 128), (130, 129), (1000, 317)],
)
def test_buckets_are_those_of_the_histogram(value, bucket):
    assert fanout_worker.bucket_of(value) == bucket


def test_buckets_grow_with_the_value_and_are_narrow():
    last = 0
    for value in range(64, 100_000, 7):
        bucket = fanout_worker.bucket_of(value)
        assert bucket >= last
        assert fanout_worker.bucket_of(int(value * 1.04) + 1) > bucket
        last = bucket


def test_a_stamp_is_the_text_that_the_other_half_writes():
    text = fanout_worker.stamped(0x12AB, 7, 255, 34)
    assert text == "00000000000012ab00000007000000ff.."
    assert fanout_worker.read_stamp(text) == (0x12AB, 7, 255)


@pytest.mark.parametrize(
    ("seqs", "faults"),
    [
        ([0, 1, 2], "0 0 0 0"),
        ([0, 2], "1 0 0 0"),
        ([0], "2 0 0 0"),
        ([0, 2, 1], "0 0 1 0"),
        ([0, 1, 2, 1], "0 1 0 0"),
    ],
)
def test_a_book_tells_loss_doubles_and_disorder(seqs, faults):
    book = fanout_worker.Book(1, first=4, count=1)
    for seq in seqs:
        book.arrived(0, fanout_worker.stamped(0, 4, seq, 32))
    assert next(iter(book.report([3]))) == f"faults {faults}"


def test_messages_of_another_step_are_strays():
    book = fanout_worker.Book(1, first=4, count=2)
    book.arrived(0, fanout_worker.stamped(0, 3, 0, 32))
    assert list(book.report([0, 0])) == ["faults 0 0 0 1", "done"]
