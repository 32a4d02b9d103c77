CREATE OR REPLACE FUNCTION outbox_announces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written) THEN
        PERFORM pg_notify('lgi_mm_outbox', '');
    END IF;
    RETURN NULL;
END $$;
