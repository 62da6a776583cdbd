"""Small filings written by hand, for tests of what is extracted from one."""

# ruff: noqa: E501 - markup reads better unbroken

from __future__ import annotations

STATEMENT = """<html><body><p>FORM 10-K</p><p>For the fiscal year ended June 30, 1999</p>
<p>As of September 9, 1999, there were 28,370,478 shares of common stock outstanding.</p>
<p><b>Consolidated statements of income</b></p><p>(in thousands, except per share data)</p>
<table><tr><td></td><td>1998</td><td>1999</td></tr>
<tr><td>Net revenues</td><td>77,571</td><td>116,870</td></tr>
<tr><td>Cost of sales</td><td>14,000</td><td>22,000</td></tr>
<tr><td>Gross profit</td><td>63,571</td><td>94,870</td></tr>
<tr><td>Operating income</td><td>20,000</td><td>30,500</td></tr>
<tr><td>Income before income taxes</td><td>22,000</td><td>(31,500)</td></tr>
<tr><td>Net income</td><td>(13,954)</td><td>21,337</td></tr>
<tr><td>Basic net income per share</td><td>(0.50)</td><td>0.76</td></tr></table>
<table><tr><td>Fiscal agent</td><td>Harbour Trust</td></tr></table>
<p>We have served as the Company's auditor since 1987.</p>
<p>/s/ Marsh &amp; Weller LLP<br>Tempe, Arizona</p>
<table><tr><td>Name</td><td>Age</td><td>Position</td></tr><tr><td>Ada Quill</td><td>51</td><td>Director</td></tr></table>
<p>/s/ ADA QUILL</p><p>Ada Quill, Chief Executive Officer</p>
</body></html>"""

FORM_4 = """<?xml version="1.0"?><ownershipDocument><documentType>4</documentType><periodOfReport>2026-02-03</periodOfReport>
<issuer><issuerCik>0000000099</issuerCik><issuerName>Wrenfield Corp</issuerName><issuerTradingSymbol>WRNF</issuerTradingSymbol></issuer>
<reportingOwner><reportingOwnerId><rptOwnerCik>0000000077</rptOwnerCik><rptOwnerName>Quill Ada</rptOwnerName></reportingOwnerId>
<reportingOwnerRelationship><isOfficer>1</isOfficer><isDirector>0</isDirector><officerTitle>CEO</officerTitle></reportingOwnerRelationship></reportingOwner>
<nonDerivativeTable><nonDerivativeTransaction><securityTitle><value>Common Stock</value></securityTitle>
<transactionDate><value>2026-02-03</value></transactionDate><transactionCoding><transactionCode>S</transactionCode></transactionCoding>
<transactionAmounts><transactionShares><value>1500</value></transactionShares><transactionPricePerShare><value>12.25</value></transactionPricePerShare>
<transactionAcquiredDisposedCode><value>D</value></transactionAcquiredDisposedCode></transactionAmounts>
<postTransactionAmounts><sharesOwnedFollowingTransaction><value>88000</value></sharesOwnedFollowingTransaction></postTransactionAmounts>
<ownershipNature><directOrIndirectOwnership><value>D</value></directOrIndirectOwnership></ownershipNature>
</nonDerivativeTransaction></nonDerivativeTable></ownershipDocument>"""

RISKS = """<html><body><p><b>Item 1A. Risk Factors</b></p><p><b>Risks of our industry</b></p>
<p><b><i>Orders may be delayed, which would reduce our revenue.</i></b></p><p>Customers decide late.</p><p>We cannot hurry them.</p>
<p><b><i>We depend on few suppliers and cannot replace them quickly.</i></b></p><p>There are two.</p>
<p><b>Item 1B. Unresolved Staff Comments</b></p><p>None.</p></body></html>"""

EX_21 = """<html><body><p>Exhibit 21.1</p><p>SUBSIDIARIES OF WRENFIELD CORP</p>
<table><tr><td>Name</td><td>Jurisdiction of incorporation</td></tr><tr><td>Wrenfield Turbines, Inc.</td><td>Delaware</td></tr>
<tr><td>Wrenfield GmbH</td><td>Germany</td></tr></table><p>Wrenfield Services LLC (Texas)</p></body></html>"""
