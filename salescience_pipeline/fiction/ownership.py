"""Fictional ownership reports: Form 3, 4 and 4/A as EDGAR's ``ownershipDocument`` XML, and what is known about them.

The oddities of real forms are there on purpose: flags as 0/1 or true/false or missing, values that are only a footnote,
several owners, holdings without a transaction. What does not belong here: when a form is filed (``filings``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from salescience_pipeline.fiction.companies import Company, chance


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who must report dealings in the company's shares."""

    cik: int
    name: str
    """Surname first, as EDGAR lists people."""
    director: bool = False
    officer: bool = False
    ten_percent: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """One row of a table of a form."""

    security: str
    code: str
    """P bought, S sold, A granted, M exercised, F withheld for tax, G given away; empty for a holding."""
    acquired: bool
    shares: int
    price: float | None
    """USD per share; ``None`` where the form gives only a footnote."""
    after: int
    day: dt.date
    derivative: bool = False
    strike: float | None = None
    indirect: str = ""
    """How it is held, if not directly."""


@dataclass(frozen=True, slots=True)
class Dealing:
    """What one form tells: who, when and which rows."""

    form: str
    issuer: Company
    owners: tuple[Owner, ...]
    period: dt.date
    trades: tuple[Trade, ...]
    words: bool
    """Whether flags are written as true and false instead of 1 and 0."""
    plan: bool = False
    """Whether the trade was made under a plan (``aff10b5One``)."""


@lru_cache(maxsize=8192)
def owners_of(company: Company, seed: int) -> tuple[Owner, ...]:
    """The people and the one holding company that report on ``company``; the first three are its officers."""
    rng = chance(seed, "owners", company.cik)
    people = [
        Owner(o.cik, _surname_first(o.name), officer=True, director=number == 0, title=o.title)
        for number, o in enumerate(company.officers)
    ]
    if not people:
        return ()
    base = people[0].cik
    names = ("Ashgrove Petronella", "Birchall Osric J.", "Cresswick Amabel")
    people.append(Owner(base + 3, rng.choice(names), director=True))
    people.append(Owner(base + 4, f"Fictional Holdings {base % 1000} LP", ten_percent=True))
    return tuple(people)


def reporting(company: Company, seed: int, number: int) -> tuple[Owner, ...]:
    """Who reports the ``number``-th dealing of ``company``; a fund reports together with its general partner."""
    owners = owners_of(company, seed)
    who = owners[number % len(owners)]
    return (who, Owner(who.cik + 1, f"{who.name} GP LLC", ten_percent=True)) if who.ten_percent else (who,)


def dealing(company: Company, seed: int, number: int, day: dt.date, price: float) -> Dealing:
    """The ``number``-th dealing of ``company``, on ``day`` at about ``price`` USD per share."""
    rng = chance(seed, "dealing", company.cik, number)
    who = reporting(company, seed, number)
    held = rng.randrange(20_000, 900_000)
    count = rng.randrange(500, 15_000)
    kind = rng.choice(("sale", "grant", "exercise", "tax", "gift", "buy"))
    trades: list[Trade] = []
    if who[0].ten_percent:
        trades.append(Trade("Common Stock", "P", True, count * 10, price, held * 9, day, indirect="By fund"))
        kind = "fund"
    if kind == "sale":
        for step in range(rng.randint(1, 4)):
            held -= min(count, held - 1)
            trades.append(Trade("Common Stock", "S", False, count, round(price * (1 + step / 120), 4), held, day))
    elif kind == "grant":
        trades.append(Trade("Common Stock", "A", True, count, 0.0, held + count, day))
    elif kind == "exercise":
        strike = round(price * 0.4, 2)
        trades.append(Trade("Common Stock", "M", True, count, strike, held + count, day))
        trades.append(Trade("Common Stock", "S", False, count, round(price, 4), held, day))
        option = "Employee Stock Option (right to buy)"
        trades.append(Trade(option, "M", False, count, 0.0, count * 3, day, derivative=True, strike=strike))
    elif kind == "tax":
        trades.append(Trade("Common Stock", "F", False, count, round(price, 2), held, day))
        trades.append(Trade("Common Stock", "", True, 0, None, count * 2, day, indirect="By trust"))
    elif kind == "gift":
        trades.append(Trade("Common Stock", "G", False, count, None, held, day))
    elif kind == "buy":
        trades.append(Trade("Common Stock", "P", True, count, round(price, 4), held + count, day))
    return Dealing("4", company, who, day, tuple(trades), words=number % 3 == 1, plan=kind == "sale")


def first_report(company: Company, seed: int, owner: Owner, day: dt.date) -> Dealing:
    """Form 3 of a new insider: holdings, no transactions."""
    rng = chance(seed, "first report", company.cik, owner.cik)
    held = rng.randrange(0, 50_000)
    trades = (
        Trade("Common Stock", "", True, 0, None, held, day),
        Trade("Restricted Stock Units", "", True, 0, None, held // 2, day, derivative=True),
    )
    return Dealing("3", company, (owner,), day, trades, words=True)


def ownership_xml(dealing: Dealing) -> bytes:
    """The form as XML."""
    flag = {True: "true" if dealing.words else "1", False: "false" if dealing.words else "0"}
    schema = {"3": "X0206"}.get(dealing.form, "X0508" if dealing.period >= dt.date(2023, 4, 1) else "X0306")
    notes: list[str] = []
    out = [
        '<?xml version="1.0"?>',
        "<ownershipDocument>",
        f"    <schemaVersion>{schema}</schemaVersion>",
        f"    <documentType>{dealing.form}</documentType>",
        f"    <periodOfReport>{dealing.period}</periodOfReport>",
    ]
    if dealing.form.endswith("/A"):
        out.append(f"    <dateOfOriginalSubmission>{dealing.period + dt.timedelta(days=2)}</dateOfOriginalSubmission>")
    if dealing.form == "3":
        out.append(f"    <noSecuritiesOwned>{flag[False]}</noSecuritiesOwned>")
    else:
        out.append(f"    <notSubjectToSection16>{flag[False]}</notSubjectToSection16>")
    issuer = dealing.issuer
    out += [
        "    <issuer>",
        f"        <issuerCik>{issuer.cik:010d}</issuerCik>",
        f"        <issuerName>{escape(issuer.name)}</issuerName>",
        f"        <issuerTradingSymbol>{issuer.dashed}</issuerTradingSymbol>",
        "    </issuer>",
    ]
    for owner in dealing.owners:
        out += _owner(owner, issuer, flag)
    if schema == "X0508":
        out.append(f"    <aff10b5One>{flag[dealing.plan]}</aff10b5One>")
    for name, derivative in (("nonDerivativeTable", False), ("derivativeTable", True)):
        rows = [trade for trade in dealing.trades if trade.derivative == derivative]
        if not rows:
            out.append(f"    <{name}></{name}>")
            continue
        out.append(f"    <{name}>")
        for trade in rows:
            out += _trade(trade, notes, dealing)
        out.append(f"    </{name}>")
    out.append("    <footnotes>")
    out += [f'        <footnote id="F{n}">{escape(note)}</footnote>' for n, note in enumerate(notes, 1)]
    out.append("    </footnotes>")
    out.append("    <remarks>Fictional report of a test sandbox.</remarks>")
    for owner in dealing.owners:
        out += [
            "    <ownerSignature>",
            f"        <signatureName>/s/ {escape(owner.name)} (fictional)</signatureName>",
            f"        <signatureDate>{dealing.period + dt.timedelta(days=1)}</signatureDate>",
            "    </ownerSignature>",
        ]
    out.append("</ownershipDocument>\n")
    return "\n".join(out).encode("ascii", "xmlcharrefreplace")


def _owner(owner: Owner, issuer: Company, flag: dict[bool, str]) -> list[str]:
    roles = [("isDirector", owner.director), ("isOfficer", owner.officer), ("isTenPercentOwner", owner.ten_percent)]
    # Real forms leave out flags that are not set, some write them all.
    written = [f"            <{name}>{flag[on]}</{name}>" for name, on in roles if on or flag[True] == "1"]
    if owner.title:
        written.append(f"            <officerTitle>{escape(owner.title)}</officerTitle>")
    return [
        "    <reportingOwner>",
        "        <reportingOwnerId>",
        f"            <rptOwnerCik>{owner.cik:010d}</rptOwnerCik>",
        f"            <rptOwnerName>{escape(owner.name)}</rptOwnerName>",
        "        </reportingOwnerId>",
        "        <reportingOwnerAddress>",
        f"            <rptOwnerStreet1>{escape(issuer.address.upper())}</rptOwnerStreet1>",
        "            <rptOwnerStreet2></rptOwnerStreet2>",
        f"            <rptOwnerCity>{escape(issuer.city.upper())}</rptOwnerCity>",
        f"            <rptOwnerState>{issuer.state}</rptOwnerState>",
        f"            <rptOwnerZipCode>{issuer.postal_code}</rptOwnerZipCode>",
        "        </reportingOwnerAddress>",
        "        <reportingOwnerRelationship>",
        *written,
        "        </reportingOwnerRelationship>",
        "    </reportingOwner>",
    ]


def _trade(trade: Trade, notes: list[str], dealing: Dealing) -> list[str]:
    kind = "derivative" if trade.derivative else "nonDerivative"
    tag = f"{kind}Transaction" if trade.code else f"{kind}Holding"
    out = [f"        <{tag}>", _value("securityTitle", trade.security)]
    if trade.derivative:
        if trade.strike is None:
            notes.append("Each unit stands for one share and has no exercise price.")
            out.append(_value("conversionOrExercisePrice", None, len(notes)))
        else:
            out.append(_value("conversionOrExercisePrice", f"{trade.strike:g}"))
    if trade.code:
        out += _amounts(trade, notes, dealing)
    if trade.derivative:
        later = trade.day.replace(year=trade.day.year + 5, day=min(trade.day.day, 28))
        if trade.strike is None:
            notes.append("The units vest in four equal parts.")
            dates = [_value("exerciseDate", None, len(notes)), _value("expirationDate", None, len(notes))]
        else:
            dates = [_value("exerciseDate", trade.day.isoformat()), _value("expirationDate", later.isoformat())]
        under = str(trade.shares or trade.after)
        out += [
            *dates,
            "            <underlyingSecurity>",
            _value("underlyingSecurityTitle", "Common Stock", deep=1),
            _value("underlyingSecurityShares", under, deep=1),
            "            </underlyingSecurity>",
        ]
    out += [
        "            <postTransactionAmounts>",
        _value("sharesOwnedFollowingTransaction", str(trade.after), deep=1),
        "            </postTransactionAmounts>",
        "            <ownershipNature>",
        _value("directOrIndirectOwnership", "I" if trade.indirect else "D", deep=1),
    ]
    if trade.indirect:
        out.append(_value("natureOfOwnership", trade.indirect, deep=1))
    out += ["            </ownershipNature>", f"        </{tag}>"]
    return out


def _amounts(trade: Trade, notes: list[str], dealing: Dealing) -> list[str]:
    footnote = None
    if trade.price is None:
        notes.append("A gift, for which nothing was paid.")
        footnote = len(notes)
    elif trade.code == "S" and dealing.plan:
        notes.append(
            f"Sold in several trades at prices from ${trade.price * 0.996:.2f} to ${trade.price * 1.004:.2f}; the price "
            "above is their weighted average. The trades are fictional."
        )
        footnote = len(notes)
    price = None if trade.price is None else f"{trade.price:g}"
    return [
        _value("transactionDate", trade.day.isoformat()),
        "            <transactionCoding>",
        f"                <transactionFormType>{dealing.form.removesuffix('/A')}</transactionFormType>",
        f"                <transactionCode>{trade.code}</transactionCode>",
        f"                <equitySwapInvolved>{'false' if dealing.words else '0'}</equitySwapInvolved>",
        "            </transactionCoding>",
        "            <transactionAmounts>",
        _value("transactionShares", str(trade.shares), deep=1),
        _value("transactionPricePerShare", price, footnote, deep=1),
        _value("transactionAcquiredDisposedCode", "A" if trade.acquired else "D", deep=1),
        "            </transactionAmounts>",
    ]


def _value(name: str, value: str | None, footnote: int | None = None, *, deep: int = 0) -> str:
    """A wrapped value, a footnote, or both."""
    space = " " * (12 + 4 * deep)
    lines = [f"{space}<{name}>"]
    if value is not None:
        lines.append(f"{space}    <value>{escape(value)}</value>")
    if footnote is not None:
        lines.append(f'{space}    <footnoteId id="F{footnote}"/>')
    lines.append(f"{space}</{name}>")
    return "\n".join(lines)


def _surname_first(name: str) -> str:
    given, _, family = name.rpartition(" ")
    return f"{family} {given}" if given else name
