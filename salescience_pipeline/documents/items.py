"""The items of SEC forms: order, part, what their titles say. A table; how items are found stands in :mod:`sections`.

Titles are patterns over the title in lower case with everything but letters and digits turned into single blanks. They
cover what the forms have called an item since 1993 and how filers word it. Sources: the instructions of Forms 10-K,
10-Q, 10-KSB, 10-QSB, 8-K (before and after Release 33-8400 of August 2004) and 20-F. What does not belong here: finding
them in a document.
"""

# ruff: noqa: E501 - a row of the tables is one line

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a form.

    Attributes:
        part: roman numeral; empty where the form has no parts.
        number: as filings write it: ``1A``, ``5.02``.
        title: the form's own words.
        words: what titles in filings say.
    """

    part: str
    number: str
    title: str
    words: re.Pattern[str]


class ItemTable:
    """The items of one form in the order that the form gives them."""

    def __init__(self, form: str, items: tuple[Item, ...], *, ends_at_signature: bool) -> None:
        """``ends_at_signature``: whether the last item ends where the signatures begin."""
        self.form = form
        self.items = items
        self.ends_at_signature = ends_at_signature

    @cached_property
    def by_number(self) -> dict[str, tuple[int, ...]]:
        """Item number -> its places in the table; more than one where parts repeat numbers."""
        found: dict[str, tuple[int, ...]] = {}
        for index, item in enumerate(self.items):
            found[item.number] = (*found.get(item.number, ()), index)
        return found

    def titled(self, words: str) -> frozenset[int]:
        """The items whose title ``words`` (as :func:`title_words` gives them) may be."""
        return frozenset(index for index, item in enumerate(self.items) if item.words.match(words))


_NOT_WORD = re.compile(r"[^a-z0-9]+")


def title_words(text: str) -> str:
    """``text`` as titles are compared: lower case, single blanks, no punctuation, at most 160 characters."""
    return _NOT_WORD.sub(" ", text[:200].lower()).strip()[:160]


def _rows(text: str) -> tuple[Item, ...]:
    """Rows ``part | number | title | pattern``; a part holds until the next one is named."""
    items = []
    part = ""
    for line in text.strip().splitlines():
        fields = [field.strip() for field in line.split("|", 3)]
        part = fields[0] or part
        items.append(Item("" if part == "-" else part, fields[1], fields[2], re.compile(fields[3])))
    return tuple(items)


_RESERVED = r"(?:removed and )?(?:reserved|intentionally (?:omitted|left)|omitted|not (?:used|applicable|required))"
_LEAD = r"(?:(?:the |our |registrant s? |company s? |corporation s? |consolidated |condensed |unaudited |interim |audited |general |description of |an? )*)"

FORM_10K = ItemTable(
    "10-K",
    _rows(rf"""
I | 1 | Business | {_LEAD}business|general$|{_LEAD}(?:the )?(?:company|partnership|trust|fund|registrant)(?: |$)
 | 1A | Risk Factors | .{{0,40}}risk factors|{_RESERVED}|factors (?:that|which) may
 | 1B | Unresolved Staff Comments | .{{0,20}}staff comments|{_RESERVED}
 | 1C | Cybersecurity | cyber ?security
 | 2 | Properties | {_LEAD}propert|{_LEAD}(?:real estate|facilities)|.{{0,30}}propert(?:y|ies)$
 | 3 | Legal Proceedings | {_LEAD}(?:certain |pending |material )?legal|.{{0,30}}legal proceedings
 | 4 | Mine Safety Disclosures | .{{0,10}}mine safety|submission of|{_RESERVED}|executive officers of
II | 5 | Market for Registrant's Common Equity | .{{0,20}}(?:market|stock|common|units|price|equity|interests)
 | 6 | Selected Financial Data | .{{0,40}}(?:selected|summary|five year|5 year)|{_RESERVED}|consolidated financial data
 | 7 | Management's Discussion and Analysis | .{{0,40}}(?:discussion and|analysis of|plan of operation)|management s|financial review
 | 7A | Quantitative and Qualitative Disclosures About Market Risk | .{{0,40}}(?:quantitative|qualitative|market risk)
 | 8 | Financial Statements and Supplementary Data | .{{0,60}}(?:financial statement|supplementa|financial information)|financial data
 | 9 | Changes in and Disagreements With Accountants | .{{0,40}}(?:change|disagreement)|{_RESERVED}
 | 9A | Controls and Procedures | .{{0,30}}controls? (?:and|over)|.{{0,30}}procedures
 | 9B | Other Information | other (?:information|matters|events)
 | 9C | Disclosure Regarding Foreign Jurisdictions that Prevent Inspections | disclosures? (?:regarding|about|on|pursuant).{{0,10}}foreign|.{{0,40}}prevent
III | 10 | Directors, Executive Officers and Corporate Governance | .{{0,40}}(?:directors|executive officers|governance|general partner|management)
 | 11 | Executive Compensation | .{{0,40}}(?:compensation|remuneration)
 | 12 | Security Ownership | .{{0,10}}(?:security|stock|share|beneficial|ownership).{{0,20}}|.{{0,40}}ownership
 | 13 | Certain Relationships and Related Transactions | .{{0,20}}(?:relationship|related|transactions|certain)
 | 14 | Principal Accountant Fees and Services | .{{0,10}}principal account|.{{0,20}}(?:accountant|accounting|audit).{{0,20}}fees|controls and|exhibits?|.{{0,30}}fees and services
IV | 15 | Exhibits and Financial Statement Schedules | .{{0,30}}(?:exhibit|schedule)|financial statement|.{{0,20}}fees and
 | 16 | Form 10-K Summary | (?:form )?(?:10 ?k )?summary|exhibits?|{_RESERVED}
"""),
    ends_at_signature=False,
)

FORM_10KSB = ItemTable(
    "10-KSB",
    _rows(rf"""
I | 1 | Description of Business | {_LEAD}business|general$|.{{0,20}}business
 | 1A | Risk Factors | .{{0,40}}risk factors|{_RESERVED}
 | 1B | Unresolved Staff Comments | .{{0,20}}staff comments|{_RESERVED}
 | 2 | Description of Property | {_LEAD}propert|.{{0,20}}propert
 | 3 | Legal Proceedings | .{{0,30}}legal
 | 4 | Submission of Matters to a Vote of Security Holders | submission|mine safety|{_RESERVED}
II | 5 | Market for Common Equity | .{{0,20}}(?:market|stock|common|price|equity)
 | 6 | Management's Discussion and Analysis or Plan of Operation | .{{0,40}}(?:discussion|analysis|plan of operation)|selected|management s
 | 7 | Financial Statements | .{{0,40}}financial (?:statement|information)|.{{0,40}}discussion
 | 8 | Changes in and Disagreements With Accountants | .{{0,40}}(?:change|disagreement)|.{{0,40}}financial statement
 | 8A | Controls and Procedures | .{{0,30}}controls
 | 8B | Other Information | other information
III | 9 | Directors, Executive Officers, Promoters and Control Persons | .{{0,40}}(?:directors|executive officers|management)
 | 10 | Executive Compensation | .{{0,40}}compensation
 | 11 | Security Ownership | .{{0,10}}security|.{{0,40}}ownership
 | 12 | Certain Relationships and Related Transactions | .{{0,20}}(?:relationship|related|transactions|certain)
 | 13 | Exhibits | .{{0,20}}exhibit
 | 14 | Principal Accountant Fees and Services | .{{0,10}}principal account|controls and|.{{0,20}}fees
"""),
    ends_at_signature=False,
)

FORM_10Q = ItemTable(
    "10-Q",
    _rows(rf"""
I | 1 | Financial Statements | .{{0,60}}(?:financial statement|financial information|balance sheet)|.{{0,40}}statements of
 | 2 | Management's Discussion and Analysis | .{{0,40}}(?:discussion|analysis of|plan of operation)|management s
 | 3 | Quantitative and Qualitative Disclosures About Market Risk | .{{0,40}}(?:quantitative|qualitative|market risk)|controls and
 | 4 | Controls and Procedures | .{{0,30}}controls?
II | 1 | Legal Proceedings | .{{0,30}}legal|{_RESERVED}
 | 1A | Risk Factors | .{{0,40}}risk factors|{_RESERVED}
 | 2 | Unregistered Sales of Equity Securities | .{{0,20}}(?:unregistered|changes in|sales? of|issuer|use of|repurchase|recent sales|purchases|purchase|market for)|{_RESERVED}
 | 3 | Defaults Upon Senior Securities | .{{0,10}}default|{_RESERVED}
 | 4 | Mine Safety Disclosures | .{{0,10}}mine safety|submission|{_RESERVED}
 | 5 | Other Information | .{{0,10}}other (?:information|matters|events|items)|{_RESERVED}
 | 6 | Exhibits | .{{0,20}}exhibit|reports on form
"""),
    ends_at_signature=False,
)

FORM_20F = ItemTable(
    "20-F",
    _rows(rf"""
I | 1 | Identity of Directors, Senior Management and Advisers | .{{0,20}}identity|.{{0,10}}description of business|business|{_RESERVED}
 | 2 | Offer Statistics and Expected Timetable | offer|.{{0,20}}propert|{_RESERVED}
 | 3 | Key Information | key information|legal|selected
 | 4 | Information on the Company | information (?:on|about)|control of
 | 4A | Unresolved Staff Comments | .{{0,20}}staff comments|{_RESERVED}
 | 5 | Operating and Financial Review and Prospects | .{{0,40}}(?:operating|financial review)|nature of trading
 | 6 | Directors, Senior Management and Employees | directors|exchange controls
 | 7 | Major Shareholders and Related Party Transactions | .{{0,10}}major|taxation
 | 8 | Financial Information | .{{0,20}}financial|selected
 | 9 | The Offer and Listing | .{{0,10}}(?:offer|listing)|management s
 | 10 | Additional Information | additional|directors
 | 11 | Quantitative and Qualitative Disclosures About Market Risk | .{{0,40}}(?:quantitative|qualitative|market risk)|compensation
 | 12 | Description of Securities Other than Equity Securities | .{{0,10}}description of|options
II | 13 | Defaults, Dividend Arrearages and Delinquencies | .{{0,10}}default|interest of
 | 14 | Material Modifications to the Rights of Security Holders | .{{0,10}}(?:material|modification)|description
 | 15 | Controls and Procedures | .{{0,30}}controls|defaults|{_RESERVED}
 | 16 | Reserved | {_RESERVED}|changes in|audit committee
 | 16A | Audit Committee Financial Expert | .{{0,20}}audit committee
 | 16B | Code of Ethics | .{{0,20}}(?:code of|ethics)
 | 16C | Principal Accountant Fees and Services | .{{0,20}}(?:accountant|auditor|fees)
 | 16D | Exemptions from the Listing Standards for Audit Committees | .{{0,10}}exemption
 | 16E | Purchases of Equity Securities by the Issuer | .{{0,10}}purchase
 | 16F | Change in Registrant's Certifying Accountant | .{{0,20}}change
 | 16G | Corporate Governance | .{{0,30}}governance
 | 16H | Mine Safety Disclosure | .{{0,10}}mine safety
 | 16I | Disclosure Regarding Foreign Jurisdictions that Prevent Inspections | disclosure|.{{0,40}}prevent
 | 16J | Insider Trading Policies | .{{0,10}}insider
 | 16K | Cybersecurity | cyber ?security
III | 17 | Financial Statements | .{{0,20}}financial statement|{_RESERVED}
 | 18 | Financial Statements | .{{0,20}}financial statement|{_RESERVED}
 | 19 | Exhibits | .{{0,30}}exhibit
"""),
    ends_at_signature=False,
)

FORM_8K = ItemTable(
    "8-K",
    _rows(r"""
- | 1 | Changes in Control of Registrant | .{0,10}changes? (?:in|of) control
 | 2 | Acquisition or Disposition of Assets | .{0,20}(?:acquisition|disposition)
 | 3 | Bankruptcy or Receivership | .{0,10}(?:bankruptcy|receivership)
 | 4 | Changes in Registrant's Certifying Accountant | .{0,10}changes? (?:in|of)
 | 5 | Other Events | other|.{0,30}(?:events|matters|regulation fd)
 | 6 | Resignations of Registrant's Directors | .{0,10}resignation
 | 7 | Financial Statements and Exhibits | .{0,40}(?:financial|exhibit)
 | 8 | Change in Fiscal Year | .{0,10}change
 | 9 | Regulation FD Disclosure | .{0,10}(?:regulation fd|reg fd|sales? of equity|information)|.{0,30}disclosure
 | 10 | Amendments to the Registrant's Code of Ethics | .{0,10}amendment
 | 11 | Temporary Suspension of Trading Under Employee Benefit Plans | .{0,10}temporary
 | 12 | Results of Operations and Financial Condition | .{0,30}(?:results|operations|financial condition)
 | 1.01 | Entry into a Material Definitive Agreement | .{0,20}(?:entry|material|agreement)
 | 1.02 | Termination of a Material Definitive Agreement | .{0,10}termination
 | 1.03 | Bankruptcy or Receivership | .{0,10}(?:bankruptcy|receivership)
 | 1.04 | Mine Safety - Reporting of Shutdowns and Patterns of Violations | .{0,10}mine safety
 | 1.05 | Material Cybersecurity Incidents | .{0,10}(?:material )?cyber
 | 2.01 | Completion of Acquisition or Disposition of Assets | .{0,20}(?:completion|acquisition|disposition)
 | 2.02 | Results of Operations and Financial Condition | .{0,30}(?:results|operations|financial condition|disclosure)
 | 2.03 | Creation of a Direct Financial Obligation | .{0,10}creation
 | 2.04 | Triggering Events That Accelerate or Increase a Direct Financial Obligation | .{0,10}triggering
 | 2.05 | Costs Associated with Exit or Disposal Activities | .{0,10}(?:costs?|exit)
 | 2.06 | Material Impairments | .{0,10}(?:material )?impairment
 | 3.01 | Notice of Delisting | .{0,10}(?:notice|delisting|failure)
 | 3.02 | Unregistered Sales of Equity Securities | .{0,10}(?:unregistered|sales?)
 | 3.03 | Material Modification to Rights of Security Holders | .{0,10}(?:material )?modification
 | 4.01 | Changes in Registrant's Certifying Accountant | .{0,10}change
 | 4.02 | Non-Reliance on Previously Issued Financial Statements | .{0,10}(?:non ?reliance|non)
 | 5.01 | Changes in Control of Registrant | .{0,10}change
 | 5.02 | Departure of Directors or Certain Officers | .{0,20}(?:departure|election|appointment|compensatory|director|officer)
 | 5.03 | Amendments to Articles of Incorporation or Bylaws | .{0,10}(?:amendment|change)
 | 5.04 | Temporary Suspension of Trading Under Employee Benefit Plans | .{0,10}temporary
 | 5.05 | Amendments to the Registrant's Code of Ethics | .{0,10}(?:amendment|waiver)
 | 5.06 | Change in Shell Company Status | .{0,10}change
 | 5.07 | Submission of Matters to a Vote of Security Holders | .{0,10}(?:submission|vote)
 | 5.08 | Shareholder Director Nominations | .{0,10}(?:shareholder|nomination)
 | 6.01 | ABS Informational and Computational Material | .{0,10}abs
 | 6.02 | Change of Servicer or Trustee | .{0,10}change
 | 6.03 | Change in Credit Enhancement | .{0,10}change
 | 6.04 | Failure to Make a Required Distribution | .{0,10}failure
 | 6.05 | Securities Act Updating Disclosure | .{0,10}securities act
 | 6.06 | Static Pool | .{0,10}static
 | 7.01 | Regulation FD Disclosure | .{0,20}(?:regulation fd|reg fd|fd disclosure|disclosure|regulation)
 | 8.01 | Other Events | .{0,10}(?:other|events)
 | 9.01 | Financial Statements and Exhibits | .{0,40}(?:financial|exhibit)
"""),
    ends_at_signature=True,
)

_TABLES = {
    "10-K": FORM_10K,
    "10-KT": FORM_10K,
    "10-K405": FORM_10K,
    "10-KT405": FORM_10K,
    "10-KSB": FORM_10KSB,
    "10-KSB40": FORM_10KSB,
    "10-Q": FORM_10Q,
    "10-QT": FORM_10Q,
    "10-QSB": FORM_10Q,
    "8-K": FORM_8K,
    "8-K12B": FORM_8K,
    "8-K12G3": FORM_8K,
    "8-K15D5": FORM_8K,
    "20-F": FORM_20F,
    "20-FR12B": FORM_20F,
}


def items_of(form: str) -> ItemTable | None:
    """The items of a form type; amendments (``10-K/A``) have those of the form. None for forms without items."""
    return _TABLES.get(form.upper().removesuffix("/A").strip())


_HEADER_TITLES = {
    "acquisition or disposition of assets": "2",
    "changes in control of registrant": "1",
    "changes in registrant s certifying accountant": "4",
    "other events": "5",
    "resignations of registrant s directors": "6",
    "financial statements and exhibits": "7",
    "regulation fd disclosure": "9",
    "results of operations and financial condition": "12",
    "bankruptcy or receivership": "3",
    "change in fiscal year": "8",
}


def header_item(title: str, *, old_numbering: bool) -> str | None:
    """The 8-K item that an ``ITEM INFORMATION`` line of a submission header names; None when no item has that title.

    Args:
        title: the line's words.
        old_numbering: whether the filing uses the numbers of before August 2004.
    """
    if title.strip() in FORM_8K.by_number:
        return title.strip()
    words = title_words(title)
    if old_numbering:
        return _HEADER_TITLES.get(words)
    current = [item for item in FORM_8K.items if "." in item.number]
    same = [item for item in current if words[:40].startswith(title_words(item.title)[:25])]
    alike = [item for item in current if item.words.match(words)]
    return next((item.number for item in (*same, *alike)), None)
