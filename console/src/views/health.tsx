import { type Check, get, type Health } from "../api/client";
import { Fact, Loading, Problems } from "../parts/common";
import { seconds } from "../parts/format";
import { useRead } from "../parts/hooks";

/** Checks ask every node: not after each event. */
const never = () => false;
/** Longest wait for the checks, ms. */
const PATIENCE = 90_000;

export function HealthView() {
  const { data, error } = useRead(() => get<Health>("/health"), never, "health");
  return (
    <>
      <h1 tabIndex={-1}>Health</h1>
      <Problems error={error} />
      {!data && !error && <Loading />}
      {data && (
        <div class="columns">
          <Processes health={data} />
          <Waiting health={data} />
        </div>
      )}
      <Checks />
    </>
  );
}

function Checks() {
  const { data, error, again } = useRead(() => get<Check[]>("/doctor", AbortSignal.timeout(PATIENCE)), never, "checks");
  const bad = (data ?? []).filter((check) => check.status !== "OK");
  return (
    <section aria-labelledby="checks">
      <div class="bar">
        <h2 id="checks">
          Checks {data && <small>{bad.length === 0 ? "all well" : `${bad.length} of ${data.length} need you`}</small>}
        </h2>
        <button type="button" onClick={again}>
          Check again
        </button>
      </div>
      <Problems error={error} />
      {!data && !error && (
        <p class="faint" role="status">
          Every node, key and price source is asked…
        </p>
      )}
      <ul class="checks">
        {(data ?? []).map((check, index) => (
          <li class={`card ${check.status.toLowerCase()}`} key={`${check.what}${index}`}>
            <span class={`mark ${check.status.toLowerCase()}`}>{check.status}</span>
            <strong>{check.what}</strong>
            <span class="seen">{check.seen}</span>
            {check.fix && <span class="fix">{check.fix}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Processes({ health }: { health: Health }) {
  const daemons = health.services.map((service) => service.service).join(", ");
  return (
    <section class="card" aria-labelledby="processes">
      <h2 id="processes">Processes</h2>
      <p class={`figure ${health.workers > 0 ? "" : "bad"}`}>
        {health.workers} <small>{health.workers === 1 ? "worker" : "workers"}</small>
      </p>
      <dl>
        <Fact name="connected">{daemons || "no service"}</Fact>
        <Fact name="lag">
          {health.schedule_lag_seconds < 1 ? "no slot waits for a scheduler" : `a slot waits for a scheduler for ${seconds(health.schedule_lag_seconds)}`}
        </Fact>
        <Fact name="jobs">
          {Object.entries(health.jobs)
            .map(([status, count]) => `${count} ${status}`)
            .join(", ") || "none"}
          {health.jobs_failing > 0 && <span class="bad">; {health.jobs_failing} failed three times in a row or more</span>}
        </Fact>
        <Fact name="version">{health.version}</Fact>
      </dl>
    </section>
  );
}

function Waiting({ health }: { health: Health }) {
  const oldest = (count: number, age: number) => (count > 0 ? `, the oldest for ${seconds(age)}` : "");
  return (
    <section class="card" aria-labelledby="waiting">
      <h2 id="waiting">What waits</h2>
      <dl>
        {health.queues.map((queue) => (
          <Fact name={queue.name} key={queue.name}>
            {queue.pending} wait{queue.oldest_seconds > 0 && `, the oldest for ${seconds(queue.oldest_seconds)}`}; {queue.running} run
            {queue.killed > 0 && <span class="bad">; {queue.killed} were given up</span>}
          </Fact>
        ))}
        <Fact name="open trades">
          {health.open_trades}
          {oldest(health.open_trades, health.open_trade_seconds)}
        </Fact>
        <Fact name="messages">
          {health.messages_waiting}
          {oldest(health.messages_waiting, health.message_seconds)}
        </Fact>
      </dl>
    </section>
  );
}
