-- The jobs that fit, by number, each with the version of its row.
SELECT id AS "id!", xmin::text AS "row_by!", updated_at AS "row_at!"
FROM jobs
WHERE ($4 OR archived_at IS NULL)
    AND ($1::text IS NULL OR token_address = $1)
    AND ($2::text IS NULL OR chain = $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($5::text IS NULL OR realm = $5)
    AND id > coalesce($6::bigint, 0)
    AND (NOT $7 OR lower(token_symbol) = lower($8) OR id = $9)
ORDER BY id
LIMIT $10
