"""Every column once: its type, its unit and what it means.

Tables (``catalog.tables``) only list these names. The same quantity in the same unit has the same name everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the data dictionary."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str | None = None


_STR, _DATE, _F64, _I64, _BOOL = pa.string(), pa.date32(), pa.float64(), pa.int64(), pa.bool_()
_I32 = pa.int32()
_UTC = pa.timestamp("us", tz="UTC")
_LIST = pa.list_(pa.string())

_ROWS: tuple[Column, ...] = (
    # Provenance: on every table.
    Column("source", _STR, "Provider the row came from, as in the provider catalogue."),
    Column("fetched_at", _UTC, "When the answer that the row was made of arrived.", "UTC"),
    Column("raw_sha256", _STR, "SHA-256 of the raw answer's body; finds it in the archive."),
    Column("run_id", _STR, "Dagster run that wrote the row."),
    Column("organization_id", _STR, "Organisation that owns the row; null for shared market data."),
    # Companies and securities.
    Column("ticker", _STR, "Trading symbol in canonical form: upper case, a dot before the share class."),
    Column("cik", _STR, "SEC Central Index Key, ten digits."),
    Column("name", _STR, "Company name as the source gives it."),
    Column("exchange", _STR, "Exchange as the source names it."),
    Column("tickers", _LIST, "All trading symbols the source lists for the company."),
    Column("exchanges", _LIST, "Exchanges, parallel to tickers."),
    Column("sic", _STR, "Standard Industrial Classification code, four digits."),
    Column("sic_description", _STR, "Meaning of the SIC code."),
    Column("entity_type", _STR, "SEC's kind of filer (operating, investment...)."),
    Column("filer_category", _STR, "SEC filer category (large accelerated filer...)."),
    Column("state_of_incorporation", _STR, "State or country code of incorporation."),
    Column("fiscal_year_end", _STR, "Last day of the fiscal year as MMDD."),
    Column("ein", _STR, "Employer Identification Number."),
    Column("former_names", _LIST, "Earlier names of the company, newest first."),
    Column("first_seen_on", _DATE, "First day on which the source listed the pair.", "exchange-local date"),
    Column("last_seen_on", _DATE, "Last day on which the source listed the pair.", "exchange-local date"),
    Column("is_current", _BOOL, "Whether the newest list of the source still holds the pair."),
    Column(
        "as_of_date",
        _DATE,
        "Day for which the row holds: the day of reading; of a value in a time series the end of its period. When it was "
        "known is fetched_at.",
        "exchange-local date",
    ),
    Column("currency", _STR, "ISO 4217 currency of the amounts in the row (minor units keep the source's spelling)."),
    Column("country", _STR, "Country of the company as the source gives it."),
    Column("ipo_date", _DATE, "First day of public trading."),
    Column("industry", _STR, "Industry in the source's own classification."),
    Column("sector", _STR, "Sector in the source's own classification."),
    Column("market_cap", _F64, "Market capitalisation, in the row's currency.", "currency"),
    Column("shares_outstanding", _F64, "Shares outstanding.", "shares"),
    # Prices.
    Column("trade_date", _DATE, "Trading day.", "exchange-local date"),
    Column("open", _F64, "First price of the day as traded; null where only adjusted prices are known.", "currency"),
    Column("high", _F64, "Highest price of the day as traded.", "currency"),
    Column("low", _F64, "Lowest price of the day as traded.", "currency"),
    Column("close", _F64, "Last price of the day as traded.", "currency"),
    Column("volume", _I64, "Shares traded, as traded.", "shares"),
    Column("adj_open", _F64, "Open adjusted as adj_method says.", "currency"),
    Column("adj_high", _F64, "High adjusted as adj_method says.", "currency"),
    Column("adj_low", _F64, "Low adjusted as adj_method says.", "currency"),
    Column("adj_close", _F64, "Close adjusted as adj_method says.", "currency"),
    Column("adj_volume", _F64, "Volume adjusted for splits.", "shares"),
    Column(
        "div_cash",
        _F64,
        "Cash dividend whose ex-date is this day, as paid; 0 if none, null if not known as paid.",
        "currency per share",
    ),
    Column("split_factor", _F64, "New shares per old share from this day on; 1 if no split.", "ratio"),
    Column(
        "adj_method",
        _STR,
        "How adj_* were made: crsp (factor 1/(1+D/C)), yahoo (1-D/C of the day before) or "
        "split_only. Series of two methods must not be mixed.",
    ),
    # Filings.
    Column("accession", _STR, "SEC accession number with dashes."),
    Column("form", _STR, "Form type as filed, with /A for an amendment."),
    Column("base_form", _STR, "Form type without the amendment suffix."),
    Column("is_amendment", _BOOL, "Whether the filing amends an earlier one."),
    Column("amends_accession", _STR, "Accession of the filing that this one amends, where it is known."),
    Column("filing_date", _DATE, "Filing date that SEC deems (after 17:30 ET the next business day)."),
    Column(
        "report_date",
        _DATE,
        "Of a filing the end of the period or the date of the event reported on; of earnings the day of the report.",
    ),
    Column("accepted_at", _UTC, "Moment of acceptance.", "UTC"),
    Column(
        "items",
        _LIST,
        "Items as SEC lists them: for an 8-K their numbers (2.02); some other forms put other marks there.",
    ),
    Column("primary_document", _STR, "File name of the main document (for ownership forms the raw XML)."),
    Column("primary_document_description", _STR, "SEC's description of the main document."),
    Column("size", _I64, "Size of the whole submission.", "bytes"),
    Column("is_xbrl", _BOOL, "Whether the filing holds XBRL."),
    Column("is_inline_xbrl", _BOOL, "Whether the XBRL is inline."),
    Column(
        "url", _STR, "Address of the article or main document, or of the submission where the document is not known."
    ),
    Column("filename", _STR, "File name inside the filing."),
    Column("document_type", _STR, "SEC's type of the document (10-K, EX-99.1...)."),
    Column("sequence", pa.int32(), "Position of the document in the filing, from 1."),
    Column("sha256", _STR, "SHA-256 of the document as stored."),
    Column("bytes", _I64, "Size of the document or answer.", "bytes"),
    Column("archive_path", _STR, "Place of the bytes below the archive's folder; null for small ones in its database."),
    # XBRL facts.
    Column("taxonomy", _STR, "Namespace of the concept (us-gaap, dei, ifrs-full...)."),
    Column("concept", _STR, "Concept without its namespace."),
    Column(
        "unit",
        _STR,
        "Unit of the value: of facts as SEC spells it (USD, shares, USD/shares...); of metrics pct (percent points), "
        "ratio (also fractions and multiples), usd, usd_m (millions), shares_m (millions) or date.",
    ),
    Column("period_start", _DATE, "First day of the period; null for an instant."),
    Column("period_end", _DATE, "Last day of the period, or the instant."),
    Column("value", _F64, "The value.", "unit"),
    Column("fy", pa.int32(), "Fiscal year of the *reporting filing*, not of the fact."),
    Column("fp", _STR, "Fiscal period of the *reporting filing* (FY, Q1...)."),
    Column("filed", _DATE, "Date of the filing that reported the fact: what was known from then on."),
    Column("frame", _STR, "SEC's calendar frame; sits on the last filed fact, so never use it for point in time."),
    Column("label", _STR, "Label of the concept as SEC gives it."),
    # Insider transactions.
    Column("issuer_cik", _STR, "CIK of the issuer of the security."),
    Column("owner_cik", _STR, "CIK of the reporting owner."),
    Column("owner_name", _STR, "Name of the reporting owner."),
    Column("transaction_table", _STR, "ND for the non-derivative table of the form, D for the derivative one."),
    Column("line_no", pa.int32(), "Position in that table, from 1."),
    Column("is_holding", _BOOL, "Whether the line reports a holding and no transaction."),
    Column("is_director", _BOOL, "Whether the owner is a director; null where the form is silent."),
    Column("is_officer", _BOOL, "Whether the owner is an officer; null where the form is silent."),
    Column("is_ten_percent_owner", _BOOL, "Whether the owner holds ten percent; null where the form is silent."),
    Column("officer_title", _STR, "Title of the officer."),
    Column("security_title", _STR, "Title of the security."),
    Column("trans_date", _DATE, "Date of the transaction."),
    Column("trans_code", _STR, "SEC transaction code (P, S, A, M...)."),
    Column("shares", _F64, "Shares (or derivative securities) in the transaction.", "shares"),
    Column("price", _F64, "Price per share: of the transaction, or the last one traded.", "USD per share"),
    Column("acquired_disposed", _STR, "A acquired, D disposed."),
    Column("shares_after", _F64, "Shares owned after the transaction.", "shares"),
    Column("ownership", _STR, "D direct, I indirect."),
    Column("underlying_title", _STR, "Underlying security of a derivative."),
    Column("underlying_shares", _F64, "Shares of the underlying security.", "shares"),
    Column("exercise_price", _F64, "Conversion or exercise price.", "USD per share"),
    Column("exercise_date", _DATE, "First day on which a derivative can be exercised."),
    Column("expiration_date", _DATE, "Last day on which a derivative can be exercised."),
    Column("footnotes", _LIST, "Footnotes that the line refers to, as 'F1: text'."),
    # Quotes.
    Column("quote_ts", _UTC, "Moment of the last trade that the quote knows.", "UTC"),
    Column("polled_at", _UTC, "When a poll first brought the trade; later polls without a new trade keep it.", "UTC"),
    Column("change", _F64, "Change since the previous close.", "USD per share"),
    Column("change_pct", _F64, "Change since the previous close.", "percent points"),
    Column("day_open", _F64, "First price of the running day.", "USD per share"),
    Column("day_high", _F64, "Highest price of the running day so far.", "USD per share"),
    Column("day_low", _F64, "Lowest price of the running day so far.", "USD per share"),
    Column("prev_close", _F64, "Close of the trading day before.", "USD per share"),
    # News.
    Column("article_id", _STR, "The source's own id of the article."),
    Column("published_at", _UTC, "When the article was published, to the second.", "UTC"),
    Column("published_date_et", _DATE, "Day of publication in New York.", "exchange-local date"),
    Column("title", _STR, "Headline."),
    Column("author", _STR, "Author, where the source names one."),
    Column("publisher", _STR, "Who published it, as the source spells it."),
    Column("image_url", _STR, "Address of the picture."),
    Column("summary", _STR, "Summary or first sentences, as the source gives them."),
    Column("category", _STR, "The source's own category."),
    Column("keywords", _LIST, "The source's own keywords."),
    Column(
        "fingerprint",
        _STR,
        "Group of duplicates: the same headline, publisher and minute have the same one, whatever the id, the address and "
        "the provider.",
    ),
    Column("first_seen_at", _UTC, "When we first received the article; a later correction keeps it.", "UTC"),
    Column("sentiment", _STR, "The source's judgement for the ticker: positive, neutral or negative."),
    Column("reasoning", _STR, "The source's reason for its judgement."),
    # Fundamentals and earnings.
    Column("metric", _STR, "The source's own name of the figure; those of its time series begin with 'series.'."),
    Column("period_type", _STR, "What the figure covers: ttm, annual, quarterly or point (a moment)."),
    Column("value_text", _STR, "The value where it is no number: a date."),
    Column("eps_actual", _F64, "Earnings per share as reported, without extraordinary items.", "USD per share"),
    Column("eps_estimate", _F64, "Consensus before the report.", "USD per share"),
    Column("surprise", _F64, "Reported less estimated earnings per share.", "USD per share"),
    Column("surprise_pct", _F64, "Surprise over the estimate.", "percent points"),
    Column("src_year", pa.int16(), "Year of the quarter as the source counts it (by calendar, not fiscal)."),
    Column("src_quarter", pa.int8(), "Quarter as the source counts it (by calendar, not fiscal)."),
    Column("report_time", _STR, "Part of the day of the report, where it is known."),
    Column("hour", _STR, "Part of the day: bmo before the open, dmh during trading, amc after the close."),
    Column("fiscal_year", pa.int16(), "The company's own fiscal year that the report is about."),
    Column("fiscal_quarter", pa.int8(), "The company's own fiscal quarter that the report is about."),
    Column("revenue_actual", _F64, "Revenue as reported.", "USD"),
    Column("revenue_estimate", _F64, "Consensus before the report.", "USD"),
    # Technical indicators.
    Column("indicator", _STR, "Indicator: SMA, EMA, RSI, MACD, BBANDS..."),
    Column("params_key", _STR, "Its parameters in one word, e.g. time_period=20;series=close."),
    Column("interval", _STR, "Length of the bars it is computed from: daily, weekly, monthly."),
    Column("ts_date", _DATE, "Day of the bar.", "exchange-local date"),
    Column("series", _STR, "Line of the indicator: SMA, MACD_Signal, Real Upper Band..."),
    # Documents: what the processing layer understood of a filing.
    Column("kind", _STR, "What the bytes are: html, xhtml, text, submission or xml."),
    Column("detected_form", _STR, "Form type as the document says of itself; null where it does not."),
    Column("parser_version", _STR, "Version of the engine that read the document: a digest of its source."),
    Column("backend", _STR, "Who cut the document into blocks: local or reducto."),
    Column("job_id", _STR, "The backend's id of the job, where it has one."),
    Column("credits", _F64, "What the backend charged.", "credits"),
    Column("error_name", _STR, "Name of the failure in Reducto's vocabulary (DOCUMENT_CORRUPT, TIMEOUT...)."),
    Column("warnings", _LIST, "What was odd about the document, one sentence each."),
    Column("cpu_seconds", _F64, "Processor time that reading it took.", "s"),
    Column("pages", _I32, "Pages of the document."),
    Column("block_count", _I32, "Blocks found in the document."),
    Column("table_count", _I32, "Tables found."),
    Column("cell_count", _I32, "Cells found that show something."),
    Column("fact_count", _I32, "XBRL facts found."),
    Column("fact_problem_count", _I32, "XBRL facts left out because they cannot be trusted."),
    Column("section_count", _I32, "Items of the form found."),
    Column("chunk_count", _I32, "Chunks that the text was cut into."),
    Column("lowest_confidence", _F64, "Confidence of the least certain section; null without sections.", "0 to 1"),
    Column("block_no", _I32, "Position of the block in the document, from 0."),
    Column("block_type", _STR, "One of Reducto's twelve block types: Title, Section Header, Text, Table..."),
    Column("page", _I32, "Page of the document, from 1."),
    Column("level", _I32, "Level of a heading, 1 is the highest; 0 for everything else."),
    Column("confidence", _F64, "How sure the row is; below 0.7 a person should look.", "0 to 1"),
    Column("src_start", _I64, "First byte in the document as filed.", "bytes"),
    Column("src_end", _I64, "Byte behind the last one in the document as filed.", "bytes"),
    Column("section_no", _I32, "Position of the section in the document, from 0; null outside of one."),
    Column("part", _STR, "Part of the form as a Roman numeral; null for forms without parts."),
    Column("item", _STR, "Item of the form: 1A, 7, 5.02."),
    Column("canonical_title", _STR, "Title of the item in the words of the form."),
    Column("text", _STR, "What a reader sees."),
    Column("text_length", _I64, "Characters that a reader sees.", "characters"),
    Column("detection", _STR, "How the section was found: toc, pattern or fallback."),
    Column(
        "confidence_reason", _STR, "Why the confidence is no higher, one sentence; null when nothing speaks against it."
    ),
    Column("is_incorporated_by_reference", _BOOL, "Whether the text says that the content stands in another document."),
    Column("table_no", _I32, "Position of the table in the document, from 0."),
    Column("row_count", _I32, "Rows that show something."),
    Column("column_count", _I32, "Columns that show something."),
    Column("header_rows", _I32, "Rows at the top that name columns."),
    Column("caption", _STR, "Heading or sentence above the table, as far as it names the table."),
    Column(
        "multiplier",
        _I64,
        "What the numbers are to be multiplied by (1000000: in millions); null when nothing says so.",
    ),
    Column("cell_no", _I32, "Position of the cell in its table in reading order, from 0."),
    Column("row_no", _I32, "Row of the cell, from 0."),
    Column("column_no", _I32, "Column of the cell, from 0."),
    Column("rowspan", _I32, "Rows that the cell covers."),
    Column("colspan", _I32, "Columns that the cell covers."),
    Column("is_header", _BOOL, "Whether the cell stands in a header row."),
    Column("shown_value", _F64, "The number as the cell shows it, not multiplied; null for text."),
    Column("fact_no", _I32, "Position of the fact in the document, from 0."),
    Column("namespace", _STR, "Namespace of the concept as an address."),
    Column("entity", _STR, "Whom the fact is about: for SEC filings the CIK, ten digits."),
    Column("context_id", _STR, "Id of the fact's context in its document."),
    Column(
        "dimensions", _STR, "Axes and members of the fact as a JSON object with sorted keys; {} without dimensions."
    ),
    Column("axis", _STR, "Axis of a dimension, as a prefixed name."),
    Column("member", _STR, "Member on the axis, as a prefixed name; the text of a typed member; null when it is nil."),
    Column("is_typed", _BOOL, "Whether the member is typed."),
    Column(
        "exact_value", _STR, "The value as XBRL spells it; null for text blocks, whose markup stands in the document."
    ),
    Column("decimals", _STR, "Digits to which the value is exact: -6 is millions, INF exact."),
    Column("is_nil", _BOOL, "Whether the fact says that there is nothing."),
    Column("lang", _STR, "Language of a text."),
    Column("transform", _STR, "Prefixed name of the transform that the shown text was read with."),
    Column("is_text_block", _BOOL, "Whether the value is markup."),
    Column("is_hidden", _BOOL, "Whether the fact is not shown to a reader."),
    Column("is_continued", _BOOL, "Whether its text goes on in another place."),
    Column("footnote_ids", _LIST, "Ids of its footnotes in the document."),
    Column("chunk_no", _I32, "Position of the chunk in the document, from 0."),
    Column("first_block", _I32, "First block of the chunk."),
    Column("last_block", _I32, "Last block of the chunk."),
    # Operations.
    Column("dataset", _STR, "Dataset (asset) the row tells about."),
    Column("partition", _STR, "Date or ticker partition."),
    Column("subject", _STR, "What was asked for: a ticker, an accession or * for the whole market."),
    Column("status", _STR, "complete, empty, not_found, failed or missing."),
    Column("reason", _STR, "One sentence why it is not complete."),
    Column("rows", _I64, "Rows written.", "rows"),
    Column("first_date", _DATE, "First day covered."),
    Column("last_date", _DATE, "Last day covered."),
    Column("checked_at", _UTC, "When completeness was last established.", "UTC"),
    # Quality.
    Column("check_name", _STR, "Check that found it."),
    Column("on_date", _DATE, "Day that the finding is about; the day of the check where it is about none."),
    Column(
        "detail", _STR, "What the finding is about beside subject and day: a field, an indicator; empty if nothing."
    ),
    Column("observed", _F64, "What was found, as a number, where it is one."),
    Column("expected", _F64, "What it was held against, as a number, where it is one."),
    Column("sentence", _STR, "What is wrong, in a sentence."),
    Column("provider", _STR, "Provider, as in the provider catalogue."),
    Column("field", _STR, "Path of a field in the answers; [] for each item of a list, {} of an object by key."),
    Column("json_types", _LIST, "Types that the field's values had: string, number, bool, object, list; sorted."),
    Column("null_rate", _F64, "Share of the records without a value for the field.", "ratio"),
    Column("records", _I64, "Records that were looked at.", "rows"),
    # Requests to providers.
    Column("answer_no", _I64, "Position of the attempt in the archive's audit, in the order stored."),
    Column("request_id", _STR, "Id that follows one request through logs, run tags, provider headers and the audit."),
    Column("attempt", pa.int32(), "Number of the try for that request, from 1."),
    Column("endpoint", _STR, "Name of the provider's endpoint."),
    Column("method", _STR, "HTTP method."),
    Column("canonical_url", _STR, "Address at the live provider, parameters sorted, without secrets."),
    Column("http_status", pa.int32(), "HTTP status; null when no answer came."),
    Column("answer_class", _STR, "What the answer means: ok, unchanged, ok_empty, not_found, rate_limited..."),
    Column("started_at", _UTC, "When the request was sent.", "UTC"),
    Column("elapsed_ms", _F64, "Time from sending to the last byte.", "ms"),
    Column("content_type", _STR, "Content-Type of the answer."),
    Column("etag", _STR, "ETag of the answer, for conditional requests."),
    Column("last_modified", _STR, "Last-Modified of the answer, as sent."),
    Column("headers", _STR, "Headers of the answer that matter, as JSON, without cookies and secrets."),
    Column("error", _STR, "One sentence when the attempt failed."),
    Column("is_complete", _BOOL, "Whether the body was verified to be whole."),
)

COLUMNS: dict[str, Column] = {column.name: column for column in _ROWS}
