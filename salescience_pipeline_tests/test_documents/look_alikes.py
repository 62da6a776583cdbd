"""Small filings of a company that does not exist, made for tests: inline XBRL, old HTML, a typewritten one, a submission."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

import os
from pathlib import Path

HEAD = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL"'
    ' xmlns:ixt="http://www.xbrl.org/inlineXBRL/transformation/2020-02-12"'
    ' xmlns:ixt-sec="http://www.sec.gov/inlineXBRL/transformation/2015-08-31"'
    ' xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:xbrldi="http://xbrl.org/2006/xbrldi"'
    ' xmlns:iso4217="http://www.xbrl.org/2003/iso4217" xmlns:link="http://www.xbrl.org/2003/linkbase"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:nix="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:us-gaap="http://fasb.org/us-gaap/2024" xmlns:dei="http://xbrl.sec.gov/dei/2024"'
    ' xmlns:wrnf="http://wrenfield.example/2026" xml:lang="en-US">'
)
CONTEXTS = """
<xbrli:context id="d"><xbrli:entity><xbrli:identifier scheme="http://www.sec.gov/CIK">0009999001</xbrli:identifier></xbrli:entity>
 <xbrli:period><xbrli:startDate>2026-01-01</xbrli:startDate><xbrli:endDate>2026-03-31</xbrli:endDate></xbrli:period></xbrli:context>
<xbrli:context id="i"><xbrli:entity><xbrli:identifier scheme="http://www.sec.gov/CIK">0009999001</xbrli:identifier></xbrli:entity>
 <xbrli:period><xbrli:instant>2026-03-31</xbrli:instant></xbrli:period></xbrli:context>
<xbrli:context id="m"><xbrli:entity><xbrli:identifier scheme="http://www.sec.gov/CIK">0009999001</xbrli:identifier>
 <xbrli:segment><xbrldi:explicitMember dimension="us-gaap:StatementClassOfStockAxis">us-gaap:CommonClassAMember</xbrldi:explicitMember>
 <xbrldi:typedMember dimension="wrnf:LotAxis"><wrnf:LotDomain>7 &amp; 8</wrnf:LotDomain></xbrldi:typedMember></xbrli:segment></xbrli:entity>
 <xbrli:period><xbrli:instant>2026-03-31</xbrli:instant></xbrli:period></xbrli:context>
<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit>
<xbrli:unit id="eps"><xbrli:divide><xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unitNumerator>
 <xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unitDenominator></xbrli:divide></xbrli:unit>
"""
STATEMENT = """
<div style="text-align:center"><span style="font-weight:700;font-size:9pt">CONDENSED BALANCE SHEETS</span></div>
<div style="text-align:center"><span style="font-size:9pt">(In millions, except per share amounts)</span></div>
<div><table><tr><td style="width:1%"/><td style="width:60%"/><td/><td/><td/><td/><td/><td/></tr>
<tr><td colspan="3"></td><td colspan="3"><span style="font-weight:700">March 31,<br/>2026</span></td><td colspan="3"><span>December 31,<br/>2025</span></td></tr>
<tr><td colspan="3">Current assets:</td><td colspan="3"></td><td colspan="3"></td></tr>
<tr><td colspan="3">Cash &amp; equivalents</td><td>$</td><td><ix:nonFraction name="us-gaap:Cash" contextRef="i" unitRef="usd"
 decimals="-6" scale="6" format="ixt:num-dot-decimal" id="f-cash">1,234.5</ix:nonFraction>&#160;</td><td></td><td>$</td><td>987</td><td></td></tr>
<tr><td colspan="3">Deficit</td><td colspan="2">(<ix:nonFraction name="us-gaap:Deficit" contextRef="i" unitRef="usd" decimals="-6"
 scale="6" sign="-" format="ixt:num-dot-decimal">15,552</ix:nonFraction></td><td>)</td><td colspan="2">(19,154</td><td>)</td></tr>
</table></div>
"""
FACTS = """
<p>Form <ix:nonNumeric name="dei:DocumentType" contextRef="d" id="f-type">10-Q</ix:nonNumeric> of
<ix:nonNumeric name="dei:EntityRegistrantName" contextRef="d">Wrenfield <ix:exclude>(the Company)</ix:exclude>Corp</ix:nonNumeric>,
a large filer: <ix:nonNumeric name="dei:EntityFilerCategory" contextRef="d" format="ixt-sec:entityfilercategoryen">Large accelerated filer</ix:nonNumeric>.</p>
<p>Period <ix:nonNumeric name="dei:DocumentPeriodEndDate" contextRef="d" format="ixt:date-monthname-day-year-en">March&#160;31, 2026</ix:nonNumeric>;
no <ix:nonFraction name="us-gaap:Debt" contextRef="m" unitRef="usd" decimals="0" format="ixt:fixed-zero">&#8212;</ix:nonFraction> debt,
<ix:nonFraction name="us-gaap:Nothing" contextRef="i" unitRef="eps" nix:nil="true"/>
earned <ix:nonFraction name="us-gaap:Eps" contextRef="d" unitRef="eps" decimals="2" scale="-2" format="ixt:num-dot-decimal">125</ix:nonFraction>.</p>
<ix:nonNumeric name="us-gaap:PolicyTextBlock" contextRef="d" escape="true" continuedAt="c1"><p style="b:2" class='a"b'>We <b>own</b> it &amp; sell &#8220;it&#8221;.</p></ix:nonNumeric>
<p>between</p>
<ix:continuation id="c1" continuedAt="c2"><p>More<br/></p></ix:continuation><ix:continuation id="c2"><table><tr><td/></tr></table></ix:continuation>
"""


def inline_filing(body: str = FACTS + STATEMENT, hidden: str = "") -> bytes:
    """A well-formed inline XBRL quarterly report with the given body."""
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n<!-- made for tests -->\n"
        + HEAD
        + "<head><title>wrnf-20260331</title></head><body>"
        f'<div style="display:none"><ix:header><ix:hidden>{hidden}</ix:hidden><ix:references><link:schemaRef xlink:type="simple"'
        f' xlink:href="wrnf-20260331.xsd"/></ix:references><ix:resources>{CONTEXTS}</ix:resources></ix:header></div>{body}</body></html>'
    ).encode()


OLD_HTML = b"""<HTML><HEAD><TITLE>wrenfield 10-K</TITLE></HEAD><BODY>
<CENTER><B>FORM 10-K</B></CENTER>
<P><B>Item 1. Business</B>
<P>Wrenfield makes caf\xe9 chairs &#151; and tables&nbsp;too.
<UL><LI>chairs<LI>tables</UL>
<P ALIGN=CENTER><FONT SIZE=2>1</FONT><HR SIZE=1 STYLE="page-break-after:always">
<TABLE BORDER=0><TR><TH>Year<TH>Sales<TR><TD>1998<TD ALIGN=RIGHT>$ 12,000<TR><TD>1997<TD ALIGN=RIGHT>11,500</TABLE>
<P>See <A HREF="#x">the exhibit</A>.<A NAME="x"></A>
</BODY></HTML>"""

TYPEWRITTEN = b"""                                 FORM 10-K

                    WRENFIELD CORPORATION ANNUAL REPORT

ITEM 1.  BUSINESS

     Wrenfield makes chairs. It sells them in two
countries and has done so since 1954.

<PAGE>
ITEM 8.  FINANCIAL STATEMENTS

<TABLE>
<CAPTION>
                          1996          1995
                       ----------    ----------
<S>                    <C>           <C>
Net sales............  $   12,000    $   11,500
Net loss.............        (120)          (80)
</TABLE>

Signed by the officers.
"""

SUBMISSION = (
    b"<SEC-DOCUMENT>0009999001-26-000001.txt : 20260415\n<SEC-HEADER>0009999001-26-000001.hdr.sgml : 20260415\n"
    b"ACCESSION NUMBER:\t\t0009999001-26-000001\nCONFORMED SUBMISSION TYPE:\t8-K\n"
    b"ITEM INFORMATION:\t\tResults of Operations and Financial Condition\n"
    b"ITEM INFORMATION:\t\tFinancial Statements and Exhibits\n</SEC-HEADER>\n"
    b"<DOCUMENT>\n<TYPE>8-K\n<SEQUENCE>1\n<FILENAME>main.htm\n<DESCRIPTION>CURRENT REPORT\n<TEXT>\n<XBRL>\n"
    + inline_filing()
    + b"\n</XBRL>\n</TEXT>\n</DOCUMENT>\n"
    b"<DOCUMENT>\n<TYPE>EX-99.1\n<SEQUENCE>2\n<FILENAME>ex991.htm\n<TEXT>\n" + OLD_HTML + b"\n</TEXT>\n</DOCUMENT>\n"
    b"<DOCUMENT>\n<TYPE>GRAPHIC\n<SEQUENCE>3\n<FILENAME>logo.jpg\n<TEXT>\nbegin 644 logo.jpg\nM_]C_X  02D9)1@ !\n`\nend\n</TEXT>\n</DOCUMENT>\n"
    b"<DOCUMENT>\n<TYPE>EX-99.2\n<SEQUENCE>4\n<FILENAME>slides.pdf\n<TEXT>\n<PDF>\n%PDF-1.4 whatever\n</PDF>\n</TEXT>\n</DOCUMENT>\n"
    b"</SEC-DOCUMENT>\n"
)


def corpus() -> Path | None:
    """The folder with recorded filings, when there is one."""
    folder = os.environ.get("SALESCIENCE_CORPUS")
    return Path(folder) if folder else None
