import { useEffect, useRef, useState } from "preact/hooks";

import { type Changed, type Job, Problem, type Session, write } from "../api/client";

/** What is to be confirmed, and with which digest. */
type Asked = { path: string; body: object; would: string; shown: readonly string[]; confirm: string | undefined };
type Said = { text: string; bad: boolean } | null;

const RANK = { viewer: 0, operator: 1, owner: 2 } as const;
const rank = (role: string) => RANK[role as keyof typeof RANK] ?? 0;

/** `job 4 (TOSHI, paper on base): RUNNING -> PAUSED` */
function told(changed: Changed): string {
  const name = `job ${changed.job} (${changed.symbol}, ${changed.realm === "live" ? "LIVE" : "paper"} on ${changed.chain})`;
  const what = changed.changed ? `${changed.before} -> ${changed.after}` : `${changed.before} already`;
  return `${name}: ${what}${changed.note ? ` (${changed.note})` : ""}`;
}

/** Pause, resume, tick and liquidate, as far as the session's role goes. */
export function Actions({ job, session, done }: { job: Job; session: Session; done: () => void }) {
  const [busy, setBusy] = useState<string | null>(null);
  const [said, setSaid] = useState<Said>(null);
  const [asked, ask] = useState<Asked | null>(null);
  const path = `/jobs/job:${job.job}`;
  const act = async (name: string, to: string, body: object, tell: (answer: unknown) => string) => {
    setBusy(name);
    setSaid(null);
    try {
      setSaid({ text: tell(await write<unknown>(to, body)), bad: false });
    } catch (error) {
      if (error instanceof Problem && error.confirm && error.would) {
        ask({ path: to, body, would: error.would, shown: error.shown, confirm: error.confirm });
      } else {
        setSaid({ text: error instanceof Error ? error.message : String(error), bad: true });
      }
    }
    setBusy(null);
    done();
  };
  const change = (name: string, body: object = {}) => act(name, `${path}/${name}`, body, (answer) => told(answer as Changed));
  const liquidate = () => {
    // What moves real money is described by the server first.
    if (job.realm === "live") return void change("liquidate");
    const would = `sell all that job ${job.job} (${job.symbol}, paper on ${job.chain}) holds, then make it idle`;
    ask({ path: `${path}/liquidate`, body: {}, would, shown: [], confirm: undefined });
  };
  const stopped = job.status === "PAUSED" || job.status === "ERROR";
  const works = job.status === "RUNNING" || job.status === "LIQUIDATING";
  const operator = rank(session.role) >= RANK.operator;
  const owner = rank(session.role) >= RANK.owner;
  return (
    <div class="actions">
      {operator && (
        <div class="bar" role="group" aria-label="Orders to this job">
          {works && (
            <button type="button" disabled={busy !== null} onClick={() => void change("pause")}>
              Pause
            </button>
          )}
          {stopped && (
            <button type="button" class="main" disabled={busy !== null} onClick={() => void change("resume")}>
              Resume
            </button>
          )}
          {works && (
            <button
              type="button"
              disabled={busy !== null}
              onClick={() => void act("tick", `${path}/tick`, {}, (answer) => ticked(answer, job.job))}
            >
              Tick
            </button>
          )}
          {owner && job.status !== "IDLE" && job.status !== "LIQUIDATING" && (
            <button type="button" class="danger" disabled={busy !== null} onClick={liquidate}>
              Liquidate…
            </button>
          )}
        </div>
      )}
      <div role="status" aria-live="polite">
        {busy && <p class="faint">{busy}…</p>}
        {said && <p class={`notice ${said.bad ? "bad" : "good"}`}>{said.text}</p>}
      </div>
      {asked && (
        <Confirm
          asked={asked}
          job={job}
          no={() => ask(null)}
          yes={() => {
            ask(null);
            const body = asked.confirm ? { ...asked.body, confirm: asked.confirm } : asked.body;
            void act("liquidate", asked.path, body, (answer) => told(answer as Changed));
          }}
        />
      )}
    </div>
  );
}

function ticked(answer: unknown, job: number): string {
  const { outcome, reason, explanation } = answer as { outcome?: string; reason?: string; explanation?: string | null };
  return `job ${job}: ${outcome ?? "evaluated"}${reason ? `: ${reason}` : ""}${explanation ? `. ${explanation}` : ""}`;
}

/** Shows what would be done. With real money the ticker is typed back. */
function Confirm({ asked, job, yes, no }: { asked: Asked; job: Job; yes: () => void; no: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const live = job.realm === "live";
  const ready = !live || typed.trim() === job.symbol;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class={job.realm} aria-labelledby="confirm-title" onCancel={no} onClose={no}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) yes();
        }}
      >
        <h2 id="confirm-title">{live ? "This moves real money" : "Sell the position?"}</h2>
        <p>
          It would <strong>{asked.would}</strong>.
        </p>
        {asked.shown.map((line) => (
          <p key={line}>{line}</p>
        ))}
        {live && (
          <label>
            Type {job.symbol} to confirm
            <input value={typed} autocomplete="off" spellcheck={false} onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
        )}
        <div class="bar">
          <button type="button" onClick={no}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={!ready}>
            Liquidate
          </button>
        </div>
      </form>
    </dialog>
  );
}
