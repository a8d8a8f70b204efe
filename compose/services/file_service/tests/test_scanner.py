import pytest

from file_service import scanner
from file_service.scanner import CHUNK_BYTES, EICAR, ScannerUnavailable, TooLarge, Verdict, scan
from file_service.tests.clamd import Clamd


@pytest.fixture
def made(tmp_path):
    def make(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def clamav(settings):
    def use(clamd):
        settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", clamd.port

    return use


def test_the_signature_is_the_official_one():
    assert len(EICAR) == 68 and EICAR.startswith(b"X5O!P%@AP[4") and EICAR.endswith(b"TEST-FILE!$H+H*")


PLACES = (0, 1, CHUNK_BYTES - 67, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES - 30)


@pytest.mark.parametrize("before", PLACES)
def test_the_signature_is_found_wherever_it_stands(made, before):
    verdict = scan(made(b"x" * before + EICAR + b"tail"), lambda count: None)
    assert verdict == Verdict(clean=False, scanned_by="signature", virus="EICAR-Test-File")


def test_other_files_are_clean_and_all_of_them_is_read(made):
    counts = []
    assert scan(made(EICAR[:-1] + b"?" * 200_000), counts.append).clean
    assert sum(counts) == 200_067
    assert scan(made(b""), counts.append).clean


def test_clamd_gets_the_bytes_and_its_word_counts(made, clamav):
    content = bytes(range(256)) * 1000
    with Clamd(lambda data: "stream: OK") as clamd:
        clamav(clamd)
        assert scan(made(content), lambda count: None) == Verdict(clean=True, scanned_by="clamd")
        assert clamd.streams == [content]
    with Clamd(lambda data: "stream: Win.Test.EICAR_HDB-1 FOUND") as clamd:
        clamav(clamd)
        found = scan(made(b"x"), lambda count: None)
    assert found == Verdict(clean=False, scanned_by="clamd", virus="Win.Test.EICAR_HDB-1")


def test_an_answer_that_is_no_verdict_is_none(made, clamav):
    for answer in ("stream: something ERROR", "", "PONG"):
        with Clamd(lambda data: answer) as clamd:
            clamav(clamd)
            with pytest.raises(ScannerUnavailable):
                scan(made(b"x"), lambda count: None)


def test_clamd_that_closes_at_its_limit_is_heard(made, clamav):
    with Clamd(lambda data: "stream: OK", limit=100_000) as clamd:
        clamav(clamd)
        with pytest.raises(TooLarge, match="StreamMaxLength"):
            scan(made(b"x" * 5_000_000), lambda count: None)


def test_a_clamd_that_is_away_is_not_a_clean_file(made, settings):
    settings.HDMS_CLAMAV_HOST, settings.HDMS_CLAMAV_PORT = "127.0.0.1", 1
    with pytest.raises(ScannerUnavailable, match="refused"):
        scan(made(EICAR), lambda count: None)
    assert scanner.clamd_verdict("stream: OK").clean
