{#- The words of a person's name in no order, without initials and titles: SEC's forms put the last name first. -#}
{% macro name_words(name) -%}
list_sort(list_distinct(list_filter(
    regexp_extract_all(strip_accents(lower({{ name }})), '[a-z]+'),
    lambda word: len(word) > 1 and word not in ('jr', 'sr', 'ii', 'iii', 'iv', 'md', 'phd', 'esq', 'dr', 'mr', 'mrs', 'ms')
)))
{%- endmacro %}
