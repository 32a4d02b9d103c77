-- Rows that the ledger cannot lack, each with how many are missing. A restore that loads a part of a dump leaves them out.
SELECT what, missing FROM (
    SELECT 'the row of installation' AS what, (SELECT 1 - count(*) FROM installation) AS missing
    UNION ALL
    SELECT 'rows of job_slots for jobs',
           (SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT FROM job_slots s WHERE s.job_id = j.id))
    UNION ALL
    SELECT 'jobs of rows in job_slots',
           (SELECT count(*) FROM job_slots s WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = s.job_id))
    UNION ALL
    -- A sequence behind its table would give out a number twice; the primary key refuses it, and nothing is committed.
    SELECT 'numbers of ' || m.name,
           (SELECT m.top - coalesce(s.last_value, 0) FROM pg_sequences s
            WHERE s.schemaname = 'public' AND s.sequencename = m.name || '_id_seq'
              AND has_sequence_privilege('public.' || quote_ident(s.sequencename), 'SELECT, USAGE'))
    FROM (VALUES ('jobs', (SELECT max(id) FROM jobs)), ('trades', (SELECT max(id) FROM trades)),
                 ('ticks', (SELECT max(id) FROM ticks)), ('fills', (SELECT max(id) FROM fills)),
                 ('adjustments', (SELECT max(id) FROM adjustments)), ('job_events', (SELECT max(id) FROM job_events)),
                 ('transactions', (SELECT max(id) FROM transactions)), ('outbox', (SELECT max(id) FROM outbox)),
                 ('withdrawals', (SELECT max(id) FROM withdrawals)), ('audit', (SELECT max(id) FROM audit)), ('nonce_repairs', (SELECT max(id) FROM nonce_repairs))) AS m (name, top)
) AS holes WHERE missing > 0
