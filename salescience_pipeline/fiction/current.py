"""Fictional current reports and the small forms: 8-K with its exhibits, proxy statement, notices, pricing supplements.

What does not belong here: the annual and quarterly reports (``reports``) and ownership forms (``ownership``).
"""

from __future__ import annotations

import datetime as dt
from html import escape

from salescience_pipeline.fiction import prose
from salescience_pipeline.fiction.companies import Company, chance, short_name
from salescience_pipeline.fiction.ixbrl import Instance, Period
from salescience_pipeline.fiction.pages import NOTICE, Page, Row, centered, grid, heading, paragraph, table
from salescience_pipeline.fiction.report_model import Report, file_number
from salescience_pipeline.fiction.sec_calendar import long_date
from salescience_pipeline.fiction.statements import Accounts

ITEMS = {
    "1.01": "Entry into a Material Definitive Agreement",
    "2.02": "Results of Operations and Financial Condition",
    "2.03": "Creation of a Direct Financial Obligation",
    "5.02": "Departure of Directors or Certain Officers; Election of Directors; Appointment of Certain Officers",
    "5.07": "Submission of Matters to a Vote of Security Holders",
    "7.01": "Regulation FD Disclosure",
    "8.01": "Other Events",
    "9.01": "Financial Statements and Exhibits",
}
"""Number and title of the items that the sandbox's 8-Ks use."""


def current_report(
    company: Company, accounts: Accounts, seed: int, day: dt.date, filed: dt.date, items: tuple[str, ...], stem: str
) -> Report:
    """An 8-K about an event on ``day``."""
    namespace = f"{company.website.replace('https', 'http')}/{day:%Y%m%d}"
    prefix = "".join(c for c in company.ticker.lower() if c.isalnum())
    instance = Instance(company.cik, min(filed.year, 2025), prefix, stem, namespace)
    period, page = Period(day, day), Page()
    words = prose.words(company, day.year, accounts.segments)
    rng = chance(seed, "8-K", company.cik, day, items)

    def dei(name: str, value: str, *, shown: str | None = None, fmt: str | None = None) -> str:
        return instance.text(f"dei:{name}", period, value, shown=shown, fmt=fmt)

    instance.hide("dei:EntityCentralIndexKey", period, f"{company.cik:010d}")
    instance.hide("dei:AmendmentFlag", period, "false", fmt="fixed-false")
    when = dei("DocumentPeriodEndDate", day.isoformat(), shown=long_date(day), fmt="date-monthname-day-year-en")
    page.add(
        centered("UNITED STATES"),
        centered("SECURITIES AND EXCHANGE COMMISSION"),
        centered("Washington, D.C. 20549"),
        centered(f"FORM {dei('DocumentType', '8-K')}"),
        centered("CURRENT REPORT"),
        centered(NOTICE),
        centered(f"Date of report (date of earliest event reported): {when}"),
        centered(dei("EntityRegistrantName", company.name)),
        grid(
            (
                (
                    dei("EntityIncorporationStateCountryCode", company.state),
                    dei("EntityFileNumber", file_number(company)),
                    dei("EntityTaxIdentificationNumber", f"{company.ein[:2]}-{company.ein[2:]}"),
                ),
                ("(State)", "(Commission file number)", "(Employer identification)"),
                (dei("EntityAddressAddressLine1", company.address), dei("EntityAddressCityOrTown", company.city), ""),
                ("Common Stock", dei("TradingSymbol", company.dashed), company.exchange),
            )
        ),
    )
    for item in items:
        page.begin("", item, ITEMS[item], label=f"Item {item}")
        for body in _item_text(item, words, day):
            page.add(paragraph(body))
        if item in {"1.01", "5.02", "8.01"}:
            page.add(paragraph(prose.ramble(rng, words, 3)))
    page.close()
    page.add(
        centered("SIGNATURE"),
        paragraph("The registrant, which does not exist, has had this report signed on its behalf."),
        grid((("Date: " + long_date(filed), f"/s/ {company.officers[-1].name}" if company.officers else "/s/"),)),
    )
    before = (
        "<?xml version='1.0' encoding='ASCII'?>\n<!-- Fictional document of the salescience sandbox -->\n"
        f'{instance.open_html()}<head><meta http-equiv="Content-Type" content="text/html"/>\n'
        f"<title>{stem}</title></head><body>{instance.header()}\n"
    )
    main, places = page.finish(before, "</body></html>\n")
    schema = (
        '<?xml version="1.0" encoding="utf-8"?>\n<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        f'targetNamespace="{namespace}"/>\n'
    ).encode()
    return Report(main, instance.extracted().encode(), schema, tuple(instance.facts), places)


def _item_text(item: str, words: dict[str, str], day: dt.date) -> list[str]:
    officer = words["officer"]
    body = {
        "1.01": f"On {long_date(day)}, {words['short']} signed an agreement with a partner that has been made up for the "
        "purpose. It runs for three years and covers deliveries in two regions.",
        "2.02": f"On {long_date(day)}, {words['short']} announced its results. The press release is furnished as Exhibit "
        "99.1. It is not filed for the purposes of Section 18 of the Exchange Act.",
        "5.02": f"On {long_date(day)}, the board of {words['short']} was told that a director who never existed will not "
        f"stand again. {officer} thanked the director for years of fictional service.",
        "7.01": "Slides for a meeting with investors are furnished with this report; they are blank.",
        "8.01": f"On {long_date(day)}, the board allowed the purchase of further own shares. The programme has no end date.",
        "9.01": "(d) Exhibits: 10.1 Agreement or 99.1 Press release (fictional), where one is attached; 104 Cover page "
        "interactive data file.",
    }
    return [body[item]]


def press_release(company: Company, accounts: Accounts, year: int, last: int, day: dt.date) -> bytes:
    """Exhibit 99.1: the results of a quarter, with the figures that the report will show."""
    words = prose.words(company, year, accounts.segments)
    now = accounts.quarter(year, last)
    old = accounts.quarter(year - 1, last)
    unit = "millions" if accounts.scale == 6 else "thousands"
    page = Page()
    page.add(
        centered(NOTICE),
        centered(f"{words['short']} Reports Results for Quarter {last} of Fiscal {year}"),
        paragraph(
            f"{words['city'].upper()}, {long_date(day)} &#8212; {words['name']} today told its imaginary owners:"
        ),
    )
    for quote in prose.press_quotes(words):
        page.add(paragraph(quote))
    rows = [
        Row(label, [f"{q.flows[item]:,}" for q in (now, old)], dollars=item == "revenue")
        for label, item in (
            ("Revenue", "revenue"),
            ("Gross profit", "gross_profit"),
            ("Operating income", "operating_income"),
            ("Net income", "net_income"),
            ("Cash from operations", "operating_cash"),
        )
    ]
    page.add(heading("Selected figures"), table([long_date(now.end), long_date(old.end)], rows, caption=f"(In {unit})"))
    before = "<html><head><title>EX-99.1</title></head><body>\n"
    return page.finish(before, "</body></html>\n")[0]


def small_form(company: Company, form: str, day: dt.date, number: int) -> bytes:
    """A page for the forms that only fill the list of filings."""
    title = {
        "DEF 14A": "Proxy Statement",
        "424B2": f"Pricing Supplement No. {number}",
        "SC 13G/A": "Statement of Beneficial Ownership",
        "S-8": "Registration of Employee Shares",
        "144": "Notice of Proposed Sale",
        "25": "Notice of Removal from Listing",
        "15-12G": "Certification of Termination of Registration",
    }.get(form, form)
    page = Page()
    page.add(
        centered(NOTICE),
        centered(f"{form} &#8212; {title}"),
        centered(escape(company.name)),
        paragraph(f"Dated {long_date(day)}. {short_name(company)} files this page so that the list is complete."),
    )
    return page.finish(f"<html><head><title>{form}</title></head><body>\n", "</body></html>\n")[0]
