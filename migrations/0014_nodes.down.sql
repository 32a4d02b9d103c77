CREATE OR REPLACE FUNCTION signers_nonce_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.next_nonce < OLD.next_nonce THEN
        RAISE EXCEPTION 'a signer''s nonce never goes back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TABLE nonce_repairs;
