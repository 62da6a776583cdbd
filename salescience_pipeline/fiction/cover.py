"""The cover page of a fictional 10-K or 10-Q: the facts by which a filer names itself, shown and hidden.

What does not belong here: the items of the form (``reports``).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from salescience_pipeline.fiction.ixbrl import Instance, Period
from salescience_pipeline.fiction.pages import NOTICE, Page, centered, grid, paragraph
from salescience_pipeline.fiction.report_model import Order, file_number
from salescience_pipeline.fiction.sec_calendar import long_date


class Cover:
    """Writes the cover page of ``order`` into ``page`` and its facts into ``instance``."""

    def __init__(self, order: Order, instance: Instance, period: Period, page: Page) -> None:
        self.order, self.instance, self.period, self.page = order, instance, period, page
        self.annual, self.end = order.form.startswith("10-K"), period.end

    def dei(self, name: str, value: str, *, shown: str | None = None, fmt: str | None = None) -> str:
        """Markup of a cover-page fact."""
        return self.instance.text(f"dei:{name}", self.period, value, shown=shown, fmt=fmt)

    def _flag(self, name: str, *, on: bool) -> str:
        return self.dei(
            name,
            "true" if on else "false",
            shown="&#9746;" if on else "&#9744;",
            fmt="fixed-true" if on else "fixed-false",
        ).replace("&amp;#", "&#")

    def write(self) -> None:
        """Append the cover page."""
        order, company, page, instance = self.order, self.order.company, self.page, self.instance
        amended = order.form.endswith("/A")
        focus = "FY" if self.annual else f"Q{order.last}"
        for name, value, fmt in (
            ("EntityCentralIndexKey", f"{company.cik:010d}", None),
            ("DocumentFiscalYearFocus", str(order.year), None),
            ("DocumentFiscalPeriodFocus", focus, None),
            ("AmendmentFlag", "true" if amended else "false", "fixed-true" if amended else "fixed-false"),
            ("CurrentFiscalYearEndDate", f"--{company.fiscal_year_end[:2]}-{company.fiscal_year_end[2:]}", None),
        ):
            instance.hide(f"dei:{name}", self.period, value, fmt=fmt)
        page.add(
            centered("UNITED STATES"),
            centered("SECURITIES AND EXCHANGE COMMISSION"),
            centered("Washington, D.C. 20549"),
            centered(f"FORM {self.dei('DocumentType', order.form)}"),
            centered(NOTICE),
        )
        kind = "ANNUAL" if self.annual else "QUARTERLY"
        mark = self._flag("DocumentAnnualReport" if self.annual else "DocumentQuarterlyReport", on=True)
        other = self._flag("DocumentTransitionReport", on=False)
        shown = long_date(self.end)
        word = "fiscal year" if self.annual else "quarterly period"
        ended = self.dei("DocumentPeriodEndDate", self.end.isoformat(), shown=shown, fmt="date-monthname-day-year-en")
        page.add(
            paragraph(f"{mark} {kind} REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934"),
            centered(f"For the {word} ended {ended}"),
            paragraph(
                f"{other} TRANSITION REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934"
            ),
            centered(f"Commission File Number: {self.dei('EntityFileNumber', file_number(company))}"),
            centered(self.dei("EntityRegistrantName", company.name)),
        )
        page.add(
            grid(
                (
                    (
                        self.dei("EntityIncorporationStateCountryCode", company.state),
                        self.dei("EntityTaxIdentificationNumber", f"{company.ein[:2]}-{company.ein[2:]}"),
                    ),
                    ("(State of incorporation)", "(I.R.S. Employer Identification No.)"),
                    (
                        f"{self.dei('EntityAddressAddressLine1', company.address)}, "
                        f"{self.dei('EntityAddressCityOrTown', company.city)}, "
                        f"{self.dei('EntityAddressStateOrProvince', company.state)}",
                        self.dei("EntityAddressPostalZipCode", company.postal_code),
                    ),
                    ("(Address of principal executive offices)", "(Zip code)"),
                    (
                        f"({self.dei('CityAreaCode', '555')}) {self.dei('LocalPhoneNumber', company.phone)}",
                        "(Telephone)",
                    ),
                )
            ),
            paragraph("Securities registered pursuant to Section 12(b) of the Act:", indent=False),
            grid(
                (
                    ("Title of each class", "Trading symbol", "Name of each exchange"),
                    (
                        self.dei("Security12bTitle", "Common Stock, $0.01 par value per share"),
                        self.dei("TradingSymbol", company.dashed),
                        self.dei("SecurityExchangeName", "NYSE" if company.exchange == "NYSE" else "NASDAQ"),
                    ),
                )
            ),
        )
        page.add(
            paragraph(f"Well-known seasoned issuer: {self.dei('EntityWellKnownSeasonedIssuer', 'Yes')}. "
                      f"Filed all reports: {self.dei('EntityCurrentReportingStatus', 'Yes')}. "
                      f"Interactive data submitted: {self.dei('EntityInteractiveDataCurrent', 'Yes')}.", indent=False),
            paragraph(f"Filer category: {self.dei('EntityFilerCategory', 'Large Accelerated Filer')}. "
                      f"Small business: {self._flag('EntitySmallBusiness', on=False)} "
                      f"Emerging growth: {self._flag('EntityEmergingGrowthCompany', on=False)} "
                      f"Shell company: {self._flag('EntityShellCompany', on=False)}", indent=False),
        )  # fmt: skip
        self._numbers()

    def _numbers(self) -> None:
        order, page, instance = self.order, self.page, self.instance
        outstanding = int(order.accounts.quarter(order.year, order.last).shares_outstanding * order.factor)
        cover_day = order.filed - dt.timedelta(days=6)
        if self.annual:
            half = order.accounts.quarter(order.year, 2)
            worth = Decimal(int(half.shares_outstanding * order.price_factor * order.price * 0.94) // 10_000 * 10_000)
            public = instance.number("dei:EntityPublicFloat", Period(None, half.end), worth, decimals="-4")
            page.add(
                paragraph(
                    f"The market value of shares held by others than affiliates was ${public} on {long_date(half.end)}.",
                    indent=False,
                )
            )
        count = instance.number(
            "dei:EntityCommonStockSharesOutstanding", Period(None, cover_day), outstanding, "shares"
        )
        page.add(
            paragraph(f"Shares of common stock outstanding on {long_date(cover_day)}: {count}", indent=False),
        )
        if self.annual:
            block, rest = instance.block(
                "dei:DocumentsIncorporatedByReferenceTextBlock",
                self.period,
                "Parts of the proxy statement for the next annual meeting, which is fictional too, ",
                rest="are incorporated by reference into Part III of this report.",
            )
            page.add(
                paragraph(f"Documents incorporated by reference: {block}", indent=False), paragraph(rest, indent=False)
            )
        page.turn()
