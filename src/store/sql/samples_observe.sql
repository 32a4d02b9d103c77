-- Keeps the given prices as samples and looks back over the stored ones.
-- The rows inserted here are not visible to the SELECTs: the caller adds the given price to the high, and
-- the average takes it as its last point.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamptz[],
                         $6::timestamptz[], $7::float8[])
        WITH ORDINALITY AS i (chain, token, series, price, observed_at, look_from, average_secs, position)
), kept AS (
    INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
    SELECT DISTINCT ON (chain, token, series, 4)
           chain, token, series, date_bin(make_interval(secs => $8), observed_at, 'epoch'), price, observed_at
    FROM input
    ORDER BY chain, token, series, 4, observed_at
    ON CONFLICT DO NOTHING
)
SELECT high.price AS "high?",
       high.observed_at AS "high_at?",
       -- Sums, exact; one function of the domain divides them, here and in a backtest.
       mean.weighted::text AS weighted,
       (mean.secs * 1000000)::bigint AS held_micros
FROM input i
LEFT JOIN LATERAL (
    SELECT s.price, s.observed_at FROM price_samples s
    WHERE s.chain = i.chain AND s.token = i.token AND s.series = i.series
      AND s.bucket >= i.look_from - make_interval(secs => $8) AND s.observed_at >= i.look_from
      AND s.observed_at <= i.observed_at
    ORDER BY s.price DESC, s.observed_at DESC LIMIT 1
) high ON true
LEFT JOIN LATERAL (
    SELECT sum(price * held) AS weighted, sum(held) AS secs
    FROM (
        SELECT p.price,
               greatest(0, extract(epoch FROM
                   least(lead(p.observed_at, 1, i.observed_at) OVER (ORDER BY p.observed_at),
                         p.observed_at + make_interval(secs => i.average_secs / $9::int))
                   - greatest(p.observed_at, i.observed_at - make_interval(secs => i.average_secs)))) AS held
        FROM (
            SELECT s.price, s.observed_at FROM price_samples s
            WHERE i.average_secs > 0 AND s.chain = i.chain AND s.token = i.token AND s.series = i.series
              -- one longest share further back: that sample may still stand at the window's start
              AND s.bucket >= i.observed_at - make_interval(secs => i.average_secs * (1 + 1.0 / $9::int) + $8)
              AND s.observed_at < i.observed_at
        ) p
    ) held
) mean ON true
ORDER BY i.position
