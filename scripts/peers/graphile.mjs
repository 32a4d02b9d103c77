// Measures no-op tasks per second of graphile-worker: graphile.mjs SOCKET_DIR DATABASE TASKS CONCURRENCY LOCAL_QUEUE
// LOCAL_QUEUE 0 is the library's default. Tasks are added before the clock starts; it stops with the last handler,
// and with the last acknowledgement. Prints one line of JSON.
import pg from 'pg';
import { Logger, run, runMigrations } from 'graphile-worker';

const [host, database, ...numbers] = process.argv.slice(2);
const [tasks, concurrentJobs, size] = numbers.map(Number);
const pool = new pg.Pool({ host, database, user: 'postgres', max: Math.max(10, Math.min(concurrentJobs + 5, 60)) });
await runMigrations({ pgPool: pool });
await pool.query('DELETE FROM graphile_worker._private_jobs');
for (let added = 0; added < tasks; added += 5000) {
  await pool.query(
    `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
       SELECT ROW('noop', '{}'::json, NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec
       FROM generate_series(1, $1)))`,
    [Math.min(5000, tasks - added)],
  );
}
await pool.query('VACUUM ANALYZE');
let left = tasks;
let finished;
const handled = new Promise((resolve) => { finished = resolve; });
const noop = async () => { if (--left === 0) finished(); };
const worker = { concurrentJobs, ...(size > 0 ? { localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {}) };
const begun = performance.now();
const runner = await run({
  pgPool: pool, preset: { worker }, taskList: { noop }, noHandleSignals: true, logger: new Logger(() => () => {}),
});
await handled;
await runner.stop();
const seconds = (performance.now() - begun) / 1000;
const rest = (await pool.query('SELECT count(*)::int AS n FROM graphile_worker._private_jobs')).rows[0].n;
await pool.end();
if (rest !== 0) throw new Error(`${rest} tasks are left`);
console.log(JSON.stringify({ tasks, seconds }));
