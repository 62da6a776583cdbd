{#- The schema is what the model says: marts stand in main, staging in staging, without a prefix of the target. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
