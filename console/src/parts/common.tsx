import type { ComponentChildren } from "preact";

import type { Dead, JobLine } from "../api/client";
import { distance, full } from "./format";

export function Realm({ realm }: { realm: string }) {
  return <span class={`realm ${realm}`}>{realm === "live" ? "LIVE" : "paper"}</span>;
}

export function Status({ status }: { status: string }) {
  return <span class={`status ${status.toLowerCase()}`}>{status}</span>;
}

export function Problems({ error }: { error: string | null }) {
  return error ? (
    <p class="notice bad" role="alert">
      {error}
    </p>
  ) : null;
}

export function Loading() {
  return (
    <p class="faint" role="status">
      Reading…
    </p>
  );
}

/** That nobody works on the jobs, since when, and what to type. */
export function Nobody({ dead, now }: { dead: Dead | null | undefined; now: string }) {
  if (!dead) return null;
  const seen = dead.last_seen ? `no worker since ${full(dead.last_seen)} (${distance(dead.last_seen, now)})` : "no worker runs";
  const missing = dead.missing === "worker" ? seen : "no scheduler runs";
  const late = dead.late_since ? `; a slot was due ${full(dead.late_since)}, ${distance(dead.late_since, now)}` : "";
  return (
    <p class="notice bad" role="alert">
      <strong>NOTHING IS TRADING:</strong> {missing}
      {late}; start <code>lgi-mm daemon</code>
    </p>
  );
}

/** Why a job needs somebody. */
export function need(line: JobLine, now: string): string {
  const needs: string[] = [];
  if (line.status === "ERROR") needs.push("stopped by an error; resume it once the cause is gone");
  if (line.signer_halted) needs.push("its wallet's signer is halted");
  if (line.late_since) needs.push(`a slot was due ${distance(line.late_since, now)}`);
  return needs.join("; ");
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
