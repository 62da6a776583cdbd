"""The words of fictional filings: invented sentences, chosen by seed, the same for the same company and year.

The texts say that they are fictional and describe nobody. What does not belong here: numbers of the accounts and the
look of a page.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from salescience_pipeline.fiction.companies import Company, short_name

_RISKS: tuple[tuple[str, str], ...] = (
    ("Demand", "Customers may order less than we plan for, and they may tell us late"),
    ("Demand", "We depend on a small number of invented customers for a large share of revenue"),
    ("Demand", "Our seasons are uneven, so one quarter says little about the next"),
    ("Demand", "A rival that exists only in this document may lower its prices"),
    ("Demand", "New products may not please the imaginary people for whom they are made"),
    ("Supply", "Some parts come from one supplier, and that supplier may fail"),
    ("Supply", "Freight may become slow or expensive without warning"),
    ("Supply", "The cost of energy and of raw materials may rise faster than our prices"),
    ("Supply", "Our warehouses stand close together and share the same river"),
    ("Supply", "We may hold too much inventory, or too little, and learn it only afterwards"),
    ("People", "We may not find or keep the people whom we need"),
    ("People", "A strike at one of our sites would stop deliveries to all of them"),
    ("People", "The loss of an officer could delay decisions"),
    ("People", "Wages may rise more than we can pass on"),
    ("Technology", "Our systems may stop, be entered by strangers, or lose data"),
    ("Technology", "We rely on software that others write and may withdraw"),
    ("Technology", "Tools that write text by machine may make mistakes that we do not notice"),
    ("Technology", "Moving to a new ledger system may disturb our closing"),
    ("Law", "Rules about products, data and the environment may change and cost us money"),
    ("Law", "We may be sued, and a court that we have made up may decide against us"),
    ("Law", "We may not be able to protect what we invent, and others may claim it"),
    ("Law", "Taxes may rise, and old returns may be opened again"),
    ("Law", "Export rules may close a market from one day to the next"),
    ("Money", "We carry debt, and the lenders' conditions limit what we may do"),
    ("Money", "Interest rates and exchange rates move our results"),
    ("Money", "We may have to write down goodwill and other assets"),
    ("Money", "Our insurance may not pay for what happens"),
    ("Money", "Customers may pay late or not at all"),
    ("Money", "The pension promises of a business that we bought may grow"),
    ("Shares", "The price of our shares may swing for reasons unrelated to us"),
    ("Shares", "We may stop paying a dividend or buying back shares"),
    ("Shares", "Our charter makes it harder to take over the company"),
    ("Shares", "If our controls over reporting are weak, our figures may be wrong"),
    ("Shares", "Forecasts in this report may turn out to be wrong"),
    ("World", "Storms, floods and drought may close our sites"),
    ("World", "An outbreak of disease may keep people from work and shops"),
    ("World", "Conflict between countries may cut our routes"),
    ("World", "Our own targets for the environment may prove too ambitious"),
)

_SENTENCES: tuple[str, ...] = (
    "In the past this has happened in {industry} at times when nobody expected it, and it may happen again.",
    "If it does, {short} could sell less, earn less, and need more cash than it has set aside.",
    "The effect would be larger in {region}, where {short} has fewer ways to react.",
    "Management watches a short list of signs every week, but the signs may come too late.",
    "{short} has plans for this case; the plans have been rehearsed, and no rehearsal is complete.",
    "Some of the measures that would help are costly and take more than a year.",
    "Contracts soften the effect in part, though not for orders that were agreed before {year}.",
    "Competitors of a similar size face the same question, and some of them are better prepared for it.",
    "We cannot say how likely this is, nor put a reliable figure on it.",
    "An event of this kind would probably touch several segments at once, because they share sites and systems.",
    "Insurance covers a part of the loss, within limits and after a waiting time.",
    "Even rumours of such an event could lead customers to wait, and waiting customers do not pay.",
    "Where the law asks for it, {short} has put money aside; the sum may not be enough.",
    "Our suppliers are exposed to the same danger and may pass its cost on to us.",
    "The board looks at this subject twice a year and records what it decides.",
    "During {year} the subject took more of the officers' time than in the year before.",
    "Small changes in the assumptions lead to large changes in the outcome.",
    "We may also be wrong about which of our products would be affected first.",
    "Public opinion may turn against {industry} as a whole, whatever {short} itself does.",
    "A remedy that works in one country may not be allowed in another.",
    "Because prices are agreed for a season, higher costs reach our customers only after a delay.",
    "If several of these events came together, the effect would be greater than the sum of them.",
)

_BUSINESS: tuple[str, ...] = (
    "{name} (&#8220;{short}&#8221;, &#8220;we&#8221; or the &#8220;Company&#8221;) is a company that does not exist. "
    "It was invented so that software which reads annual reports can be tried without asking anybody for data.",
    "In the story told here, {short} was founded in {city}, {state}, and works in {industry}. It sells through its own "
    "people, through partners and, to a growing extent, over its own website.",
    "The company reports three segments: {s0}, {s1} and {s2}. Each has a head who answers to the chief executive, "
    "who decides how money and people are divided among them.",
    "{s0} is the oldest segment. Its customers are of every size; none of them accounted for more than a tenth of "
    "revenue in {year}.",
    "{s1} was formed when two departments were joined. It earns a larger part of its revenue from agreements that run "
    "for more than one year.",
    "{s2} is small and still learning. Its results vary from quarter to quarter more than those of the others.",
    "Materials and services are bought from some four hundred suppliers. For most of them there is a second source, "
    "though changing over takes between three and nine months.",
    "Research and development is done in two places. Work in {year} was directed at lower energy use, simpler upkeep "
    "and a longer life of what we sell.",
    "At the end of the fiscal year {short} had about {employees} employees. Relations with them are good, as they "
    "usually are in invented companies.",
    "Competition is lively. Buyers compare price, delivery time and service, in that order when times are hard and in "
    "the opposite order when they are not.",
    "Our business follows the seasons: the weeks before the holidays bring more orders, the first weeks of a calendar "
    "year bring fewer.",
    "Rules for the safety of products, for data and for the environment apply to us wherever we sell. Obeying them did "
    "not need unusual spending in {year}, and we do not expect that it will next year.",
    "We own trademarks and patents and take care to renew them. No single one of them is decisive for the company.",
    "Reports are available free of charge at {website}, which leads nowhere, as soon as they have been filed.",
)

_POLICIES: tuple[tuple[str, str], ...] = (
    ("Basis of presentation", "The statements include {short} and the companies that it controls. Balances and dealings"
     " between them have been removed. The figures are invented, but they follow the rules that real ones follow."),
    ("Use of estimates", "Some amounts rest on estimates: the life of equipment, what customers will pay, the value of"
     " inventory, the outcome of disputes. Actual results may differ."),
    ("Revenue", "Revenue is recognised when control of goods passes to the customer, or while a service is rendered. "
     "Amounts collected for tax authorities are left out. Payment is usually due within sixty days."),
    ("Cash and securities", "Deposits and securities that mature within three months of purchase count as cash. Other "
     "securities are carried at fair value, and changes of value are kept in equity until a sale."),
    ("Receivables", "Receivables are shown less the losses expected over their life, based on age, history and what can"
     " reasonably be foreseen."),
    ("Inventory", "Inventory is carried at the lower of cost, first in first out, and what it can be sold for less the"
     " cost of selling."),
    ("Property and equipment", "Cost is spread evenly over the useful life: forty years for buildings, three to ten for"
     " machines and software. Repairs are an expense when they are made."),
    ("Goodwill and intangibles", "Goodwill is tested once a year in the fourth quarter and whenever there is a sign of"
     " loss. Other intangibles are spread over five to fifteen years."),
    ("Income taxes", "Deferred taxes are recognised for differences between the accounts and the tax returns, at the"
     " rates that will apply when the differences end."),
    ("Recent rules", "New accounting rules that took effect in {year} changed disclosures but no amounts. Rules that"
     " take effect later are being studied."),
)  # fmt: skip

_NEWS: tuple[str, ...] = (
    "&#8220;The quarter went as we had imagined it,&#8221; said {officer}, {title}. &#8220;Our people did good work, "
    "and our customers, who are invented as well, noticed it.&#8221;",
    "{short} will discuss these results in a conference call that will not take place.",
    "Statements about the future are made on the basis of what is believed today. They may prove wrong, and nobody "
    "should rely on them, the less so as the company does not exist.",
)


def words(company: Company, year: int, segments: Sequence[str]) -> dict[str, str]:
    """What the sentences need to know about a company."""
    return {
        "name": company.name,
        "short": short_name(company),
        "industry": (company.industry or "finance").lower(),
        "city": company.city,
        "state": company.state,
        "year": str(year),
        "region": "the coastal districts",
        "employees": f"{company.employees:,}",
        "website": company.website,
        "s0": segments[0],
        "s1": segments[1],
        "s2": segments[2],
        "officer": company.officers[0].name if company.officers else "the chief executive",
        "title": company.officers[0].title if company.officers else "Chief Executive Officer",
    }


def business(known: dict[str, str]) -> list[str]:
    """The paragraphs of Item 1."""
    return [sentence.format(**known) for sentence in _BUSINESS]


def policies(known: dict[str, str]) -> list[tuple[str, str]]:
    """Title and text of each accounting policy."""
    return [(title, body.format(**known)) for title, body in _POLICIES]


def press_quotes(known: dict[str, str]) -> list[str]:
    """The sentences around the figures of a press release."""
    return [sentence.format(**known) for sentence in _NEWS]


def ramble(rng: random.Random, known: dict[str, str], sentences: int) -> str:
    """A paragraph of that many different sentences."""
    return " ".join(sentence.format(**known) for sentence in rng.sample(_SENTENCES, sentences))


def risks(rng: random.Random, known: dict[str, str]) -> list[tuple[str, str, list[str]]]:
    """Risk factors as (group, headline, paragraphs); most stay from year to year, as in real reports."""
    return [(group, title, [ramble(rng, known, rng.randint(3, 6)) for _ in range(2)]) for group, title in _RISKS]
