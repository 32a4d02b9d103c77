DROP FUNCTION first_turn, open_transactions;
DROP TABLE turns;
