-- Whether what a live job holds can be sold: proven with every buy, and by a dry sale at most once a day.
CREATE TABLE sale_proofs (
    job_id           bigint      PRIMARY KEY REFERENCES jobs,
    looked_at        timestamptz NOT NULL,
    -- Null: the last look found that it can be sold.
    unsellable_since timestamptz,
    detail           text        CHECK (char_length(detail) <= 2000),
    CHECK ((unsellable_since IS NULL) = (detail IS NULL))
) WITH (fillfactor = 80);
