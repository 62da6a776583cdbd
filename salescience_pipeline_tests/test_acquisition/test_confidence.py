"""How far documents are trusted: the formula on cases whose answer everybody knows, and damage that is found."""

from __future__ import annotations

import itertools

import pytest

from salescience_pipeline.acquisition import quality
from salescience_pipeline.acquisition.confidence import (
    CONFIDENCE,
    DOCUMENTS,
    DOUBTFUL,
    Evidence,
    confidence,
    section_part,
    size_part,
    store_confidence,
)
from salescience_pipeline.acquisition.fingerprint import distance, simhash
from salescience_pipeline.acquisition.recheck import RECHECK, recheck, sample_of
from salescience_pipeline.acquisition.sandbox_process import Sandbox
from salescience_pipeline.acquisition.services import Services
from salescience_pipeline.lake.errors import CorruptBlob
from salescience_pipeline.lake.layout import BLOB_SUFFIX
from salescience_pipeline_tests.test_acquisition.runs import fault, requests_seen, run, select

TEXT = (
    b"<html><p>"
    + b" ".join(b"the company sold %d widgets in region %d" % (n, n % 7) for n in range(400))
    + b"</p></html>"
)
SIZES = [400_000, 420_000, 390_000, 455_000]


def test_003_22_the_score_follows_its_formula() -> None:
    assert confidence(Evidence(is_whole=True, is_intact=True, size=1.0, sections=1.0, facts=1.0)) == pytest.approx(1.0)
    assert confidence(Evidence(is_whole=True, is_intact=True)) == pytest.approx(0.4 + 0.6 * 0.8)
    assert confidence(Evidence(is_whole=True, is_intact=True, size=0.0, sections=0.5, facts=1.0)) == pytest.approx(
        0.625
    )
    assert confidence(Evidence(is_whole=False, is_intact=True, size=1.0)) == 0.0
    assert confidence(Evidence(is_whole=True, is_intact=False, size=1.0)) == 0.0


def test_003_22_the_score_parts_good_documents_from_bad_ones() -> None:
    """Calibration: the issuer's reports as they are, and the same with what goes wrong with documents."""
    good = [
        confidence(Evidence(True, True, size_part(size, [other for other in SIZES if other != size]), items, facts))
        for size in SIZES
        for items, facts in ((1.0, 1.0), (1.0, None), (None, None), (0.9, 0.99))
    ]
    cut = [confidence(Evidence(True, True, size_part(size // 20, SIZES), 0.1, None)) for size in SIZES]
    blank = confidence(Evidence(True, True, size_part(2_000, SIZES), None, None))
    another = confidence(Evidence(True, True, size_part(SIZES[0] * 8, SIZES), 0.3, 0.2))
    flipped = confidence(Evidence(True, False, 1.0, 1.0, 1.0))
    bad = [*cut, blank, another, flipped]
    assert min(good) > 0.85 > DOUBTFUL > max(bad)


def test_003_22_what_nobody_can_compare_is_not_known() -> None:
    assert size_part(1_000, [1_000]) is None
    assert size_part(1_000, [900, 1_000, 1_100]) == 1.0
    assert section_part(12, [16]) is None
    assert section_part(12, [0, 0]) is None
    assert (section_part(12, [16, 16]), section_part(20, [16, 16])) == (0.75, 1.0)


def test_003_23_a_fingerprint_tells_how_much_of_a_text_changed() -> None:
    same = TEXT.replace(b"<p>", b"<div class='x'>\n").replace(b"company", b"COMPANY")
    edited = TEXT.replace(b"sold 17 widgets", b"returned 17 widgets")
    other = b" ".join(b"item %d reports quarter %d of revenue" % (n, n * 3) for n in range(400))
    original = simhash(TEXT)
    assert distance(original, simhash(same)) == 0
    assert 0 <= distance(original, simhash(edited)) < 8 < distance(original, simhash(other))
    assert simhash(b"") == simhash(b"<br/>") == 0
    assert simhash(b"two words") != 0


@pytest.fixture
def fetched(services: Services) -> Services:
    """The documents of a company's last two years."""
    services.ledger.watchlist.add("entire_watchlist", ["ALDRN"])
    run(services, select("core_sec__company_tickers", ()))
    for dataset in ("core_sec__filings_history", DOCUMENTS):
        assert run(services, select(dataset, ["ALDRN"], n_years=2)).is_complete
    return services


def _damage(services: Services, digest: str) -> None:
    """Flip a byte of an archived body, wherever it lies."""
    blob = next(services.archive.layout.blobs.rglob(f"{digest}{BLOB_SUFFIX}"), None)
    if blob is not None:
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(bytes(data))
        return
    row = services.archive.audit.body(digest)
    assert row is not None
    assert row.data is not None
    data = bytearray(row.data)
    data[len(data) // 2] ^= 1
    import sqlite3

    with sqlite3.connect(services.archive.audit.path) as audit:
        audit.execute("update bodies set data = ? where sha256 = ?", (bytes(data), digest))


def test_003_22_and_23_a_flipped_byte_fails_its_check_and_nobody_trusts_the_document(fetched: Services) -> None:
    names = (quality.BYTES, quality.TRUST)
    assert not any(quality.run_checks(fetched, run_id="good", names=names).values())
    scores = {(row["accession"], row["filename"]): row for row in fetched.tables.read(CONFIDENCE).to_pylist()}
    assert len(scores) == fetched.tables.row_count(DOCUMENTS) > 3
    assert all(0.8 < row["score"] <= 1.0 and len(row["text_fingerprint"]) == 16 for row in scores.values())
    pairs = itertools.combinations({int(row["text_fingerprint"], 16) for row in scores.values()}, 2)
    assert all(distance(*pair) > 0 for pair in pairs)

    victim = min(scores)
    _damage(fetched, scores[victim]["sha256"])
    found = quality.run_checks(fetched, run_id="bad", names=names)
    assert [one.detail for one in found[quality.BYTES]] == [scores[victim]["sha256"]]
    (doubt,) = found[quality.TRUST]
    assert ((doubt.subject, doubt.detail), doubt.observed) == (victim, 0.0)
    assert doubt.sentence.endswith("can be trusted to 0.00: its bytes are not those that were received.")
    stored = {row["check_name"] for row in fetched.tables.read(quality.FINDINGS).to_pylist()}
    assert stored == set(names)


def test_003_22_scores_are_made_again_only_where_something_is_new(fetched: Services) -> None:
    before = store_confidence(fetched, "first")
    version = fetched.tables.version(CONFIDENCE)
    assert store_confidence(fetched, "second").num_rows == before.num_rows
    assert fetched.tables.version(CONFIDENCE) == version, "the same verdicts commit nothing"


def test_003_23_documents_fetched_again_are_those_that_were_stored(fetched: Services, sandbox: Sandbox) -> None:
    seen = requests_seen(sandbox)
    rows = fetched.tables.read(DOCUMENTS).to_pylist()
    done = recheck(fetched, run_id="again", size=len(rows))
    assert (done.findings, requests_seen(sandbox) - seen) == ([], done.asked)
    cut = [row["submission_sha256"] for row in rows if row["submission_sha256"] is not None]
    assert len(set(cut)) < len(cut), "some documents came with others"
    assert done.asked == len(set(cut)) + len(rows) - len(cut), "those of one submission take one request"

    page = TEXT + b"</html>"
    whole = b"<DOCUMENT>\n<TYPE>10-K\n<SEQUENCE>1\n<FILENAME>a.htm\n<TEXT>\n" + page + b"\n</TEXT>\n</DOCUMENT>\n"
    for ending, kind, body in (("htm", "text/html", page), ("txt", "text/plain", whole)):
        forged = {"status": 200, "content_type": kind, "body": body.decode()}
        fault(sandbox, "status", rf"\.{ending}", "edgar", params=forged)
    changed = recheck(fetched, run_id="forged", size=len(rows))
    assert len(changed.findings) == len(rows)
    for one in changed.findings:
        assert "is not what it was when it was fetched: words that are" in one.sentence
        assert one.observed is not None
        assert one.observed > 8
    sandbox.post("/_sandbox/reset", {})
    fault(sandbox, "status", r"\.(htm|txt)", "edgar", params={"status": 500})
    (unknown,) = recheck(fetched, run_id="down", size=1).findings
    assert "could not be fetched again" in unknown.sentence
    rows = fetched.tables.read(quality.FINDINGS).to_pylist()
    assert [row["check_name"] for row in rows] == [RECHECK], "the last recheck's word stands"


def test_003_23_each_week_has_its_own_sample() -> None:
    documents = [{"accession": f"0000000000-26-{number:06}", "filename": "a.htm"} for number in range(50)]
    weeks = [sample_of(documents, (2026, week), 5) for week in range(1, 40)]
    assert all(len(sample) == 5 for sample in weeks)
    assert sample_of(documents[::-1], (2026, 1), 5) == weeks[0], "whatever the order of the rows"
    assert len({row["accession"] for sample in weeks for row in sample}) > 45, "in time it is everybody's turn"


def test_003_23_a_damaged_body_is_named_by_the_archive(fetched: Services) -> None:
    row = fetched.tables.read(DOCUMENTS, columns=["sha256"]).to_pylist()[0]
    _damage(fetched, row["sha256"])
    body = fetched.archive.audit.body(row["sha256"])
    assert body is not None
    with pytest.raises(CorruptBlob):
        fetched.archive.check(body)
