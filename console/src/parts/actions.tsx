import type { Changed, Job, Session, Ticked } from "../api/client";
import { may, type Order, Outcome, Question, useOrders } from "./order";

/** `job 4 (TOSHI, paper on base)` */
export function named(job: { job: number; symbol: string; realm: string; chain: string }): string {
  return `job ${job.job} (${job.symbol}, ${job.realm === "live" ? "LIVE" : "paper"} on ${job.chain})`;
}

/** `job 4 (TOSHI, paper on base): RUNNING -> PAUSED` */
function told(changed: Changed): string {
  const what = changed.changed ? `${changed.before} -> ${changed.after}` : `${changed.before} already`;
  return `${named(changed)}: ${what}${changed.note ? ` (${changed.note})` : ""}`;
}

/** `job 4 (TOSHI, paper on base): trade 7 is not final yet` */
function evaluated(ticked: Ticked): string {
  if (ticked.trade) return `${named(ticked)}: trade ${ticked.trade}${ticked.is_final ? "" : " is not final yet"}`;
  return `${named(ticked)}: ${ticked.decision}${ticked.explanation ? `: ${ticked.explanation}` : ""}`;
}

/** Pause, resume, tick, edit and liquidate, as far as the session's role goes. */
export function Actions({ job, session, done }: { job: Job; session: Session; done: () => void }) {
  const orders = useOrders(done);
  const { busy, ask, act } = orders;
  const order = (label: string, tell: Order["tell"] = told): Order => ({
    label,
    path: `/jobs/job:${job.job}/${label.toLowerCase()}`,
    body: {},
    key: crypto.randomUUID(),
    tell,
  });
  const liquidate = () => {
    // What moves real money is described by the server first.
    if (job.realm === "live") return void act(order("Liquidate"));
    const would = `sell all that job ${job.job} (${job.symbol}, paper on ${job.chain}) holds, then make it idle`;
    ask({ order: order("Liquidate"), would, shown: [], confirm: undefined });
  };
  const stopped = job.status === "PAUSED" || job.status === "ERROR";
  const works = job.status === "RUNNING" || job.status === "LIQUIDATING";
  const owner = may(session.role, "owner");
  return (
    <div class="actions">
      {may(session.role, "operator") && (
        <div class="bar" role="group" aria-label="Orders to this job">
          {works && (
            <button type="button" disabled={busy !== null} onClick={() => void act(order("Pause"))}>
              Pause
            </button>
          )}
          {stopped && (
            <button type="button" class="main" disabled={busy !== null} onClick={() => void act(order("Resume"))}>
              Resume
            </button>
          )}
          {works && (
            <button type="button" disabled={busy !== null} onClick={() => void act(order("Tick", evaluated))}>
              Tick
            </button>
          )}
          {owner && !job.archived_at && (
            <a class="button" href={`#/jobs/${job.job}/edit`}>
              Edit…
            </a>
          )}
          {owner && job.status !== "IDLE" && job.status !== "LIQUIDATING" && (
            <button type="button" class="danger" disabled={busy !== null} onClick={liquidate}>
              Liquidate…
            </button>
          )}
        </div>
      )}
      <Outcome orders={orders} />
      <Question orders={orders} live={job.realm === "live"} word={job.symbol} title="Sell the position?" />
    </div>
  );
}
