-- A nonce that was never on chain may be taken back, on evidence that stays: a node that lied about a wallet's first
-- nonce must not block the wallet for ever.
CREATE TABLE nonce_repairs (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm      text        NOT NULL,
    chain      text        NOT NULL,
    signer     evm_address NOT NULL,
    -- The counter before and after.
    from_nonce bigint      NOT NULL,
    to_nonce   bigint      NOT NULL CHECK (to_nonce >= 0),
    -- What was seen on the chain, and of which of our hashes.
    evidence   jsonb       NOT NULL,
    actor      text        NOT NULL,
    repaired_at timestamptz NOT NULL DEFAULT now(),
    -- The counter may go back only in the transaction that wrote this row.
    repaired_by xid8       NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT nonce_repairs_go_back CHECK (to_nonce < from_nonce),
    FOREIGN KEY (realm, chain, signer) REFERENCES signers (realm, chain, address)
);
CREATE TRIGGER nonce_repairs_append_only BEFORE UPDATE OR DELETE ON nonce_repairs
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

CREATE OR REPLACE FUNCTION signers_nonce_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.next_nonce < OLD.next_nonce
       AND NOT EXISTS (
           SELECT 1 FROM nonce_repairs r
           WHERE (r.realm, r.chain, r.signer) = (OLD.realm, OLD.chain, OLD.address)
             AND (r.from_nonce, r.to_nonce) = (OLD.next_nonce, NEW.next_nonce)
             AND r.repaired_by = pg_current_xact_id())
    THEN
        RAISE EXCEPTION 'a signer''s nonce never goes back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
