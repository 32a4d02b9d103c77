DROP TRIGGER outbox_announces ON outbox;
DROP FUNCTION outbox_announces;
DROP TABLE deliveries;
DROP TABLE receivers;
ALTER INDEX outbox_to_fan_out RENAME TO outbox_undelivered;
ALTER TABLE outbox RENAME COLUMN fanned_out_at TO delivered_at;
