// Measures no-op tasks per second of pg-boss: pg-boss.mjs SOCKET_DIR DATABASE TASKS BATCH LOOPS
// LOOPS loops of fetch and complete, without pauses: its own work() sleeps half a second or more between two
// fetches. Tasks are added before the clock starts. Prints one line of JSON.
import { PgBoss } from 'pg-boss';

const [host, database, ...numbers] = process.argv.slice(2);
const [tasks, batchSize, loops] = numbers.map(Number);
const boss = new PgBoss({ host, database, user: 'postgres', max: 10, supervise: false, schedule: false });
boss.on('error', (error) => { throw error; });
await boss.start();
const queue = `noop-${batchSize}-${loops}`;
await boss.createQueue(queue);
await boss.deleteAllJobs(queue);
for (let added = 0; added < tasks; added += 5000) {
  await boss.insert(queue, Array.from({ length: Math.min(5000, tasks - added) }, () => ({ data: {} })));
}
await boss.getDb().executeSql('ANALYZE');
let handled = 0;
const drain = async () => {
  for (;;) {
    const jobs = await boss.fetch(queue, { batchSize });
    if (!jobs?.length) return;
    await boss.complete(queue, jobs.map((job) => job.id));
    handled += jobs.length;
  }
};
const begun = performance.now();
await Promise.all(Array.from({ length: loops }, drain));
const seconds = (performance.now() - begun) / 1000;
await boss.stop({ graceful: false });
if (handled !== tasks) throw new Error(`${handled} of ${tasks} tasks were handled`);
console.log(JSON.stringify({ tasks, seconds }));
process.exit(0);
