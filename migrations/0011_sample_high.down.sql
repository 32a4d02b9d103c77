ALTER TABLE job_slots DROP COLUMN sample_high,
    DROP COLUMN sample_high_at,
    DROP COLUMN sample_high_since,
    DROP COLUMN sample_high_config;
