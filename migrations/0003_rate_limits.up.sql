-- Token buckets that all workers share: an outside API counts our requests, not our processes.
CREATE TABLE rate_limits (
    name       text        PRIMARY KEY,
    tokens     float8      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
