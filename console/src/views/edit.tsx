import { useEffect, useRef, useState } from "preact/hooks";

import { type Edited, get, type Job, type KeyLine, Problem, question, type Session, tagged } from "../api/client";
import { onChange } from "../api/live";
import { named } from "../parts/actions";
import { Loading, Problems, Realm, Status } from "../parts/common";
import { assignments, flat, Keys, text, type Values } from "../parts/config";
import { useChecked } from "../parts/hooks";
import { may, type Order, Outcome, Question, useOrders } from "../parts/order";

/** Wait after a key stroke before the server is asked, ms. */
const PAUSE = 250;

type Loaded = { job: Job; keys: KeyLine[]; config: Values; etag: string };

async function read(number: number): Promise<Loaded> {
  const [job, keys, { data, etag }] = await Promise.all([
    get<Job>(`/jobs/job:${number}`),
    get<KeyLine[]>("/config/keys"),
    tagged<unknown>(`/jobs/job:${number}/config`),
  ]);
  return { job, keys, config: flat(data), etag };
}

export function EditView({ job: number, session }: { job: number; session: Session }) {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [asked, again] = useState(0);
  useEffect(() => {
    let over = false;
    read(number).then(
      (found) => !over && (setLoaded(found), setError(null)),
      (problem) => !over && setError(problem instanceof Error ? problem.message : String(problem)),
    );
    return () => void (over = true);
  }, [number, asked]);
  if (!loaded) {
    return (
      <>
        <h1 tabIndex={-1}>Edit job {number}</h1>
        {error ? <Problems error={error} /> : <Loading />}
      </>
    );
  }
  return <Form loaded={loaded} session={session} again={() => again((count) => count + 1)} />;
}

/** Whether somebody else has edited the job since it was read. */
function useOthers(job: number, etag: string): boolean {
  const [others, setOthers] = useState(false);
  const latest = useRef(etag);
  latest.current = etag;
  useEffect(() => {
    setOthers(false);
    return onChange((changed) => {
      if (changed !== null && changed !== job) return;
      tagged<unknown>(`/jobs/job:${job}/config`).then(
        (found) => setOthers(found.etag !== latest.current),
        () => undefined,
      );
    });
  }, [job, etag]);
  return others;
}

function Form({ loaded, session, again }: { loaded: Loaded; session: Session; again: () => void }) {
  const { job, keys, config, etag } = loaded;
  const [values, setValues] = useState<Values>(config);
  const [lost, setLost] = useState(false);
  const mine = useRef(config);
  // A new version is read: what was typed stays on top of it.
  useEffect(() => {
    const kept = Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== (mine.current[key] ?? "")));
    mine.current = config;
    setValues({ ...config, ...kept });
  }, [config]);
  const set = assignments(values, config);
  // Its difference, or why it cannot be made.
  const check = (asked: string) => question<Edited>(`/jobs/job:${job.job}/config/check`, { set: asked.split("\n") });
  const { answer: edited, error, current } = useChecked(set.join("\n"), check, PAUSE);
  const others = useOthers(job.job, etag);
  const failed = (problem: unknown) => {
    const conflict = problem instanceof Problem && problem.status === 412;
    setLost(conflict);
    return false;
  };
  const orders = useOrders(() => undefined, failed);
  const apply = () => {
    const order: Order = {
      label: "Apply",
      path: `/jobs/job:${job.job}/config`,
      body: { set },
      key: crypto.randomUUID(),
      manner: { method: "PATCH", etag },
      tell: (answer: Edited) => `${named(job)}: ${answer.keys.length} changed, from the next slot on`,
      then: () => (setLost(false), again()),
    };
    void orders.act(order);
  };
  if (!may(session.role, "owner")) return <p class="notice warn">Only an owner edits a job.</p>;
  return (
    <>
      <div class={`heading ${job.realm}`}>
        <h1 tabIndex={-1}>
          Edit {job.symbol} <Realm realm={job.realm} /> <Status status={job.status} />
        </h1>
        <p class="faint">
          <a href={`#/jobs/${job.job}`}>job {job.job}</a> on {job.chain}, version {etag.replaceAll('"', "")}. Nothing changes before you apply it.
        </p>
      </div>
      {(others || lost) && (
        <p class="notice warn" role="alert">
          This job was edited since you opened it.{" "}
          <button type="button" onClick={() => (setLost(false), orders.say(null), again())}>
            Read it again, keep what I typed
          </button>
        </p>
      )}
      <Keys keys={keys} mode={job.mode} base={config} values={values} set={setValues} error={error} />
      <section class="card difference" aria-labelledby="difference">
        <h2 id="difference">What would change</h2>
        <div aria-live="polite">
          <Difference edited={edited} error={error} any={set.length > 0} />
        </div>
        <Outcome orders={orders} />
        <div class="bar">
          <button type="button" class="main" disabled={!current || !edited?.changed || error !== null || orders.busy !== null} onClick={apply}>
            Apply
          </button>
          <button type="button" disabled={set.length === 0} onClick={() => setValues(config)}>
            Undo what I typed
          </button>
        </div>
      </section>
      <Question orders={orders} live={job.realm === "live"} word={job.symbol} title="Change the job?" />
    </>
  );
}

/** Keys before and after, or why not. */
export function Difference({ edited, error, any }: { edited: Edited | null; error: string | null; any: boolean }) {
  if (error) return <p class="notice bad lines">{error}</p>;
  if (!any) return <p class="faint">Nothing yet.</p>;
  if (!edited) return <p class="faint">Checking…</p>;
  if (!edited.changed) return <p class="faint">The job has all of this already.</p>;
  return (
    <ul class="changes">
      {edited.keys.map(({ key, before, after }) => (
        <li key={key}>
          <code>{key}</code> <del>{text(before) || "not set"}</del> <span aria-hidden="true">→</span>
          <span class="hidden"> becomes </span> <ins>{text(after) || "not set"}</ins>
        </li>
      ))}
    </ul>
  );
}
