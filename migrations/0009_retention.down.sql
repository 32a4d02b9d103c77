DROP INDEX apalis.lgi_jobs_ended;
DROP TABLE ticks_pruned;
