DROP TABLE sale_proofs;
