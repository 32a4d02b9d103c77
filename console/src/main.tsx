import { render } from "preact";
import { useEffect, useState } from "preact/hooks";

import { get, Problem, type Session, signIn, signOut } from "./api/client";
import { close, type Link, onLink, open, tend } from "./api/live";
import { full } from "./parts/format";
import { useRoute } from "./parts/hooks";
import { BacktestView } from "./views/backtest";
import { EditView } from "./views/edit";
import { HealthView } from "./views/health";
import { JobView } from "./views/job";
import { NewView } from "./views/new";
import { OverviewView } from "./views/overview";
import { SettingsView } from "./views/settings";
import { SignIn } from "./views/signin";
import { TradesView } from "./views/trades";
import { WalletsView } from "./views/wallets";

/** The ticket of a link. It is taken out of the address at once, so that no history keeps it. */
function takeTicket(): string | null {
  const ticket = location.hash.match(/^#ticket=(.+)$/)?.[1];
  if (!ticket) return null;
  history.replaceState(null, "", `${location.pathname}#/`);
  return ticket;
}

// Before anything looks at the address.
const ticket = takeTicket();

type Who = { session: Session } | { why: string | null } | null;

async function begin(given: string | null): Promise<Who> {
  try {
    if (given) return { session: await signIn(given) };
    return { session: await get<Session>("/session") };
  } catch (error) {
    const plain = error instanceof Problem && error.status === 401 && !given;
    return { why: plain ? null : error instanceof Error ? error.message : String(error) };
  }
}

function Connection({ link }: { link: Link }) {
  const lost = link.state === "lost";
  return (
    <>
      <span class={`link ${link.state}`}>{lost ? "no answer" : link.state === "live" ? "connected" : "connecting"}</span>
      <div role="status" class="away">
        {lost && (
          <p class="notice warn">
            The server does not answer since {full(link.since.toISOString())}: what you see is from before. It is asked
            again until it answers.
          </p>
        )}
      </div>
    </>
  );
}

function View({ route, session }: { route: string; session: Session }) {
  const edited = route.match(/^\/jobs\/(\d+)\/edit$/)?.[1];
  if (edited) return <EditView job={Number(edited)} session={session} key={edited} />;
  const job = route.match(/^\/jobs\/(\d+)$/)?.[1];
  if (job) return <JobView job={Number(job)} session={session} key={job} />;
  if (route === "/trades") return <TradesView />;
  if (route === "/wallets") return <WalletsView />;
  if (route === "/health") return <HealthView />;
  if (route === "/new") return <NewView session={session} />;
  if (route === "/backtest") return <BacktestView session={session} />;
  if (route === "/settings") return <SettingsView session={session} />;
  return <OverviewView />;
}

function Nav({ route }: { route: string }) {
  const items: [string, string][] = [
    ["/", "Overview"],
    ["/trades", "Trades"],
    ["/new", "New job"],
    ["/backtest", "Backtest"],
    ["/wallets", "Wallets"],
    ["/health", "Health"],
    ["/settings", "Settings"],
  ];
  return (
    <nav aria-label="Views">
      {items.map(([path, name]) => (
        <a href={`#${path}`} aria-current={route === path ? "page" : undefined} key={path}>
          {name}
        </a>
      ))}
    </nav>
  );
}

function Console() {
  const [who, setWho] = useState<Who>(null);
  const [link, setLink] = useState<Link>({ state: "opening" });
  const route = useRoute();
  useEffect(() => {
    const enter = (given: string | null) =>
      void begin(given).then((found) => {
        setWho(found);
        if (found && "session" in found) open();
      });
    enter(ticket);
    tend();
    // A new link in a tab that is open already.
    window.addEventListener("hashchange", () => {
      const given = takeTicket();
      if (!given) return;
      close();
      enter(given);
    });
    return onLink((next) => {
      setLink(next);
      if (next.state === "signed out") setWho({ why: "The session is over." });
    });
  }, []);
  useEffect(() => {
    document.querySelector<HTMLElement>("h1")?.focus();
  }, [route]);
  if (!who) return null;
  if (!("session" in who)) return <SignIn why={who.why} />;
  const { session } = who;
  const leave = async () => {
    try {
      await signOut();
    } catch (error) {
      // The session may be over already; anything else means that it is not.
      if (!(error instanceof Problem && error.status === 401)) {
        window.alert(`You are not signed out: ${error instanceof Error ? error.message : String(error)}.`);
        return;
      }
    }
    close();
    setWho({ why: "You are signed out." });
  };
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        To the content
      </a>
      <header>
        <strong class="brand">lgi-mm</strong>
        <Nav route={route} />
        <div class="who">
          <Connection link={link} />
          <span class="name">
            {session.name} <span class="faint">({session.role})</span>
          </span>
          <button type="button" class="quiet" onClick={() => void leave()}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <View route={route} session={session} />
      </main>
      <footer class="faint">
        Session until {full(session.expires_at)}. Charts by{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">
          TradingView
        </a>
        .
      </footer>
    </>
  );
}

const root = document.getElementById("app");
if (root) render(<Console />, root);
