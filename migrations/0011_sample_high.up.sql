-- The highest sample of a job's window, as its last tick saw it: while that sample is still inside, only what came since
-- is read. Counts only for the configuration it was found under.
ALTER TABLE job_slots
    ADD COLUMN sample_high numeric CHECK (sample_high > 0),
    ADD COLUMN sample_high_at timestamptz,
    ADD COLUMN sample_high_since timestamptz,
    ADD COLUMN sample_high_config integer,
    ADD CONSTRAINT job_slots_sample_high_whole CHECK (num_nulls(sample_high, sample_high_at, sample_high_since, sample_high_config) IN (0, 4));
