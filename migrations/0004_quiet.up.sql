-- A transaction that notifies holds a lock of the whole server until its commit is on disk, so that such commits wait for
-- each other. One that writes an event which nobody receives does not notify.
CREATE OR REPLACE FUNCTION outbox_announces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written) AND EXISTS (SELECT FROM receivers) THEN
        PERFORM pg_notify('lgi_mm_outbox', '');
    END IF;
    RETURN NULL;
END $$;
