"""Packages that we did not write, unmodified, against the emulated EDGAR.

edgartools takes its addresses from the environment, so it runs in a process of its own and nothing of it stays behind in
ours. sec-edgar-downloader has its addresses in module attributes; they are set, and nothing else, in such a process too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from salescience_pipeline_tests.test_sandbox.serving import Served

EDGARTOOLS = """
import json, sys, warnings
warnings.simplefilter("ignore")  # of the package, which is not ours to keep free of them
from edgar import Company, get_current_filings

company = Company("CALDQ")
annual = company.get_filings(form="10-K", amendments=False)
report = annual.latest()
xbrl = report.xbrl()
frame = xbrl.facts.to_dataframe()
items = report.obj()
sale = next(f for f in company.get_filings(form="4") if "<transactionCode>S<" in f.full_text_submission())
ownership = sale.obj()
current = get_current_filings()
release = next(f for f in company.get_filings(form="8-K") if "2.02" in f.items)
listed = next(a for a in report.attachments if a.document_type == "EX-21.1")
print(json.dumps({
    "name": company.name,
    "cik": company.cik,
    "annual": [f.accession_no for f in annual],
    "html": len(report.html()),
    "whole": report.full_text_submission().rstrip().endswith("</SEC-DOCUMENT>"),
    "concepts": sorted(set(frame["concept"])),
    "assets": sorted(float(v) for v in frame[frame["concept"] == "us-gaap:Assets"]["numeric_value"]),
    "items": items.items,
    "attachments": [[a.document_type, a.document] for a in report.attachments],
    "exhibits": [a.document_type for a in release.exhibits],
    "listed": listed.text(),
    "risks": "form of risk factors" in (items["Item 1A"] or ""),
    "company_facts": len(company.get_facts()),
    "owner_issuer": ownership.issuer.ticker,
    "owners": len(ownership.reporting_owners.owners),
    "owner_codes": sorted(set(ownership.to_dataframe()["Code"])),
    "current": len(current),
    "heavy": len(Company("TORVA").get_filings(form="10-K")),
}))
"""

DOWNLOADER = """
import json, sys, warnings
warnings.simplefilter("ignore")  # of the package, which is not ours to keep free of them
from pathlib import Path
from sec_edgar_downloader import Downloader, _orchestrator, _sec_gateway

base, folder = sys.argv[1:]

def moved(address):
    return address.replace("https://www.sec.gov", base).replace("https://data.sec.gov", base)

_orchestrator.URL_FILING = moved(_orchestrator.URL_FILING)
_orchestrator.URL_SUBMISSIONS = moved(_orchestrator.URL_SUBMISSIONS)
_sec_gateway.URL_CIK_MAPPING = moved(_sec_gateway.URL_CIK_MAPPING)
downloader = Downloader("Example Company", "someone@example.com", folder)
counts = {form: downloader.get(form, "CALDQ", limit=3, download_details=True) for form in ("10-K", "4")}
counts["heavy"] = downloader.get("10-K", "TORVA")
files = {str(p.relative_to(folder)): p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()}
print(json.dumps({"counts": counts, "files": files}))
"""


def run(code: str, folder: Path, *arguments: str, **environment: str) -> dict:
    """Run ``code`` in a process whose home is ``folder`` and read the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "HOME": str(folder), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_edgartools_reads_the_sandbox(sandbox: Served, tmp_path):
    base = f"{sandbox.url}/edgar"
    told = run(
        EDGARTOOLS,
        tmp_path,
        EDGAR_BASE_URL=base,
        EDGAR_DATA_URL=base,
        EDGAR_IDENTITY="Example Company someone@example.com",
        EDGAR_LOCAL_DATA_DIR=str(tmp_path / "edgar"),
    )
    assert (told["name"], told["cik"]) == ("Calderquist Devices Inc. (fictional)", 9900003)
    page = sandbox.get("/edgar/submissions/CIK0009900003.json").json()["filings"]["recent"]
    rows = list(zip(page["form"], page["accessionNumber"], strict=True))
    assert told["annual"] == [accession for form, accession in rows if form == "10-K"]
    assert told["html"] > 300_000
    assert told["whole"]
    truth = sandbox.get(f"/_sandbox/truth/facts/{told['annual'][0]}").json()["facts"]
    assert set(told["concepts"]) == {fact["concept"] for fact in truth}
    assets = sorted(float(f["value"]) for f in truth if f["concept"] == "us-gaap:Assets" and not f["dimensions"])
    assert told["assets"] == assets
    items = sandbox.get(f"/_sandbox/truth/items/{told['annual'][0]}").json()["items"]
    assert told["items"] == [f"Item {item['item']}" for item in items]
    assert told["risks"]
    types = [kind for kind, _ in told["attachments"]]
    assert types[:4] == ["10-K", "EX-21.1", "EX-31.1", "EX-32.1"]
    subsidiaries = sandbox.get(f"/_sandbox/truth/subsidiaries/{told['annual'][0]}").json()
    assert subsidiaries["document"] in [name for _, name in told["attachments"]]
    assert subsidiaries["subsidiaries"]
    assert all(each["name"] in told["listed"] for each in subsidiaries["subsidiaries"])
    assert "EX-99.1" in told["exhibits"]
    assert told["company_facts"] > 5000
    assert (told["owner_issuer"], told["owners"]) == ("CALDQ", 1)
    assert "S" in told["owner_codes"]
    assert told["current"] > 10
    assert told["heavy"] == 8
    assert set(sandbox.stats()["providers"]["edgar"]["statuses"]) == {"200"}


def test_sec_edgar_downloader_reads_the_sandbox(sandbox: Served, tmp_path):
    told = run(DOWNLOADER, tmp_path, f"{sandbox.url}/edgar", str(tmp_path / "filings"))
    assert told["counts"] == {"10-K": 3, "4": 3, "heavy": 8}
    page = sandbox.get("/edgar/submissions/CIK0009900003.json").json()["filings"]["recent"]
    rows = list(zip(page["form"], page["accessionNumber"], page["size"], strict=True))
    for form in ("10-K", "4"):
        newest = [(accession, size) for kind, accession, size in rows if kind == form][:3]
        for accession, size in newest:
            place = f"sec-edgar-filings/CALDQ/{form}/{accession}"
            assert told["files"][f"{place}/full-submission.txt"] == size
            assert any(name.startswith(f"{place}/primary-document.") for name in told["files"])
    assert set(sandbox.stats()["providers"]["edgar"]["statuses"]) == {"200"}
