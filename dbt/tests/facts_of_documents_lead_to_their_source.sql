-- Lineage: each number of a filing leads to bytes of a document that was read.
select x.*
from {{ ref('mart_documents__facts') }} as x
left join {{ ref('mart_documents__documents') }} as d on d.accession = x.accession and d.filename = x.filename
where d.raw_sha256 is distinct from x.raw_sha256 or x.src_end <= x.src_start or x.src_end > d.bytes
