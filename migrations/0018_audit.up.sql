-- Writes that belong to no job: paper money and faults, policy entries, nonce repairs, pruning, migrations. Writes to a
-- job are in job_events.
CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    -- The face and the person: cli:alice.
    actor   text        NOT NULL CHECK (actor <> ''),
    action  text        NOT NULL CHECK (action <> ''),
    -- What was written to, such as a wallet or a chain.
    subject text        NOT NULL,
    detail  jsonb       NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
