SELECT CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END AS "table!",
       pg_total_relation_size(c.oid)::float8 AS "bytes!"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'apalis', 'paper') AND c.relname NOT LIKE '\_sqlx%'
