"""The items of Forms 10-K and 10-Q in their order, and the text of those that need only a sentence.

Tables and nothing else; ``reports`` writes the documents.
"""

from __future__ import annotations

ANNUAL: tuple[tuple[str, str, str], ...] = (
    ("I", "1", "Business"),
    ("I", "1A", "Risk Factors"),
    ("I", "1B", "Unresolved Staff Comments"),
    ("I", "1C", "Cybersecurity"),
    ("I", "2", "Properties"),
    ("I", "3", "Legal Proceedings"),
    ("I", "4", "Mine Safety Disclosures"),
    (
        "II",
        "5",
        "Market for Registrant&#8217;s Common Equity, Related Stockholder Matters and Issuer Purchases of Equity Securities",
    ),
    ("II", "6", "[Reserved]"),
    ("II", "7", "Management&#8217;s Discussion and Analysis of Financial Condition and Results of Operations"),
    ("II", "7A", "Quantitative and Qualitative Disclosures About Market Risk"),
    ("II", "8", "Financial Statements and Supplementary Data"),
    ("II", "9", "Changes in and Disagreements with Accountants on Accounting and Financial Disclosure"),
    ("II", "9A", "Controls and Procedures"),
    ("II", "9B", "Other Information"),
    ("II", "9C", "Disclosure Regarding Foreign Jurisdictions that Prevent Inspections"),
    ("III", "10", "Directors, Executive Officers and Corporate Governance"),
    ("III", "11", "Executive Compensation"),
    ("III", "12", "Security Ownership of Certain Beneficial Owners and Management and Related Stockholder Matters"),
    ("III", "13", "Certain Relationships and Related Transactions, and Director Independence"),
    ("III", "14", "Principal Accountant Fees and Services"),
    ("IV", "15", "Exhibits and Financial Statement Schedules"),
    ("IV", "16", "Form 10-K Summary"),
)
QUARTERLY: tuple[tuple[str, str, str], ...] = (
    ("I", "1", "Financial Statements"),
    ("I", "2", "Management&#8217;s Discussion and Analysis of Financial Condition and Results of Operations"),
    ("I", "3", "Quantitative and Qualitative Disclosures About Market Risk"),
    ("I", "4", "Controls and Procedures"),
    ("II", "1", "Legal Proceedings"),
    ("II", "1A", "Risk Factors"),
    ("II", "2", "Unregistered Sales of Equity Securities and Use of Proceeds"),
    ("II", "3", "Defaults Upon Senior Securities"),
    ("II", "4", "Mine Safety Disclosures"),
    ("II", "5", "Other Information"),
    ("II", "6", "Exhibits"),
)
"""Part, item and title of the annual and of the quarterly form; titles are markup."""

SHORT: dict[str, str] = {
    "1B": "None.",
    "1C": "{short} has a plan for attacks on its systems, tests it every year, and reports on it to the board. No attack "
    "in {year} was material, since there was none.",
    "2": "The head office is in {city}, {state}. {short} owns three invented plants and rents eleven offices and stores.",
    "3": "{short} is a party to the disputes that are usual in {industry}. None of them is expected to matter.",
    "4": "Not applicable.",
    "6": "[Reserved]",
    "7A": "A rise of all interest rates by one percentage point would change the value of the securities by less than "
    "two percent. Exchange rates matter little.",
    "9": "None.",
    "9A": "The officers found that the controls over disclosure and over financial reporting worked at the end of {year}.",
    "9B": "No director or officer adopted or ended a trading plan in the last quarter.",
    "9C": "Not applicable.",
    "11": "What is asked for here stands in the proxy statement, which is fictional as well.",
    "12": "What is asked for here stands in the proxy statement, which is fictional as well.",
    "13": "What is asked for here stands in the proxy statement, which is fictional as well.",
    "14": "What is asked for here stands in the proxy statement, which is fictional as well.",
    "16": "None.",
}
SHORT_QUARTERLY: dict[tuple[str, str], str] = {
    ("I", "3"): "The exposure to interest and exchange rates has not changed much since the last annual report.",
    ("I", "4"): "The officers found that the controls over disclosure worked at the end of the quarter.",
    ("II", "1"): "{short} is a party to the disputes that are usual in {industry}. None of them is expected to matter.",
    ("II", "1A"): "The risk factors of the last annual report still hold, with the additions below.",
    ("II", "3"): "None.",
    ("II", "4"): "Not applicable.",
    ("II", "5"): "No director or officer adopted or ended a trading plan in the quarter.",
}
