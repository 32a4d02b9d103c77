DROP TABLE foreign_transactions;
DROP INDEX fills_to_watch;
ALTER TABLE fills DROP COLUMN watch_at;
ALTER TABLE fills DROP CONSTRAINT fills_once_per_trade;
ALTER TABLE fills DROP CONSTRAINT fills_once_per_transaction;
ALTER TABLE fills DROP COLUMN round;
ALTER TABLE fills ADD CONSTRAINT fills_once_per_trade UNIQUE (trade_id, kind);
ALTER TABLE fills ADD CONSTRAINT fills_once_per_transaction UNIQUE (tx_hash, kind);
DROP TABLE pools;
