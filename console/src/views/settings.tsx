import { useState } from "preact/hooks";

import { get, type NewToken, type Receiver, type Session, type Token } from "../api/client";
import { Fact, Loading, Problems } from "../parts/common";
import { full } from "../parts/format";
import { useRead } from "../parts/hooks";
import { may, type Order, Outcome, Question, useOrders } from "../parts/order";
import { type Column, Table } from "../parts/table";

const never = () => false;

export function SettingsView({ session }: { session: Session }) {
  return (
    <>
      <h1 tabIndex={-1}>Settings</h1>
      <section class="card" aria-labelledby="session">
        <h2 id="session">This session</h2>
        <dl>
          <Fact name="name">{session.name}</Fact>
          <Fact name="role">{session.role}</Fact>
          <Fact name="ends">{full(session.expires_at)}</Fact>
        </dl>
      </section>
      {may(session.role, "owner") && <Tokens session={session} />}
      <Receivers />
    </>
  );
}

function Tokens({ session }: { session: Session }) {
  const { data, error, again } = useRead(() => get<Token[]>("/tokens"), never, "tokens");
  const [all, setAll] = useState(false);
  const orders = useOrders(again);
  const revoke = (token: Token) => {
    const order: Order = {
      label: "Revoke",
      path: `/tokens/${encodeURIComponent(token.name)}/revoke`,
      body: {},
      key: crypto.randomUUID(),
      tell: () => `${token.name} is revoked: the next request with it is refused`,
    };
    const own = token.name === session.name ? ", and this session with it" : "";
    orders.ask({ order, would: `revoke the ${token.kind} ${token.name} at once${own}`, shown: [], confirm: undefined });
  };
  const shown = (data ?? []).filter((token) => all || token.state === "valid");
  const columns: Column<Token>[] = [
    { name: "name", cell: (token) => token.name },
    { name: "kind", cell: (token) => token.kind },
    { name: "role", cell: (token) => token.role },
    { name: "state", room: 1, cell: (token) => token.state },
    { name: "last used", room: 1, cell: (token) => full(token.last_used_at) },
    { name: "ends", room: 1, cell: (token) => full(token.expires_at) },
    {
      name: "Order",
      unnamed: true,
      number: true,
      cell: (token) =>
        token.state === "valid" && (
          <button type="button" class="danger quiet" aria-label={`Revoke ${token.name}`} onClick={() => revoke(token)}>
            Revoke…
          </button>
        ),
    },
  ];
  return (
    <section aria-labelledby="tokens">
      <div class="bar">
        <h2 id="tokens">Tokens and sessions</h2>
        <label class="check">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> also those that are over
        </label>
      </div>
      <Problems error={error} />
      {!data && !error && <Loading />}
      <Outcome orders={orders} />
      <Question orders={orders} live={false} word="" title="Revoke it?" />
      {data && <Table caption="Table of tokens" columns={columns} rows={shown} id={(token) => token.token} empty="None." />}
      <Create made={again} />
    </section>
  );
}

/** A new token: its text is shown once. */
function Create({ made }: { made: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [expires, setExpires] = useState("30d");
  const [secret, setSecret] = useState<string | null>(null);
  const orders = useOrders(made);
  const create = () => {
    const order: Order = {
      label: "Create",
      path: "/tokens",
      body: { name: name.trim(), role, expires: expires.trim() },
      key: crypto.randomUUID(),
      tell: (token: NewToken) => `${token.name} may do what role ${token.role} may, until ${full(token.expires_at)}`,
      then: (token: NewToken) => (setSecret(token.secret), setName("")),
    };
    setSecret(null);
    void orders.act(order);
  };
  return (
    <form
      class="card create"
      aria-label="A new token"
      onSubmit={(event) => {
        event.preventDefault();
        create();
      }}
    >
      <h3>New token</h3>
      <div class="bar">
        <label>
          Name
          <input value={name} autocomplete="off" spellcheck={false} placeholder="phone" onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          Role
          <select value={role} onChange={(event) => setRole(event.currentTarget.value)}>
            <option>viewer</option>
            <option>operator</option>
            <option>owner</option>
          </select>
        </label>
        <label>
          Valid for
          <input value={expires} autocomplete="off" placeholder="30d" onInput={(event) => setExpires(event.currentTarget.value)} />
        </label>
        <button type="submit" class="main" disabled={!name.trim() || orders.busy !== null}>
          Create…
        </button>
      </div>
      <Outcome orders={orders} />
      {secret && (
        <p class="notice warn">
          This is the token. Copy it now: it is not shown again. <code class="secret">{secret}</code>
        </p>
      )}
      <Question orders={orders} live={false} word="" title="Create the token?" />
    </form>
  );
}

function Receivers() {
  const { data, error } = useRead(() => get<Receiver[]>("/receivers"), never, "receivers");
  return (
    <section aria-labelledby="receivers">
      <h2 id="receivers">Receivers of messages</h2>
      <Problems error={error} />
      {data && data.length === 0 && (
        <p class="faint">
          None: a section <code>[notify.receivers.NAME]</code> of the settings file makes one.
        </p>
      )}
      {data && data.length > 0 && (
        <ul class="checks">
          {data.map((receiver) => {
            const waits = receiver.waiting ?? 0;
            const fails = (receiver.failures ?? 0) > 0;
            const lost = receiver.given_up_today ?? 0;
            return (
              <li class={`card ${fails || lost > 0 ? "warn" : ""}`} key={receiver.name}>
                <span class={`mark ${fails || lost > 0 ? "warn" : "ok"}`}>{fails ? "FAILS" : lost > 0 ? "GAVE UP" : "OK"}</span>
                <strong>
                  {receiver.name} <span class="faint">{receiver.kind ?? "not in these settings"}</span>
                </strong>
                <span class="seen">
                  {receiver.events.join(", ") || "no events"}
                  {waits > 0 && `; ${waits} messages wait`}
                </span>
                {fails && <span class="fix">{receiver.last_error}</span>}
                {lost > 0 && (
                  <span class="fix">
                    {lost} given up in the last 24 hours; the last one: {receiver.given_up_error}
                  </span>
                )}
              </li>
            );
          })}
        </ul>
      )}
      <p class="faint">Receivers are set on the machine; they are only shown here.</p>
    </section>
  );
}
