import { get, type Policy, type Signer, type Wallet } from "../api/client";
import { Fact, Loading, Problems, Realm } from "../parts/common";
import { amount, seconds, usd } from "../parts/format";
import { useRead } from "../parts/hooks";
import { type Column, Table } from "../parts/table";

type Whole = { wallets: Wallet[]; signers: Signer[]; allowed: Policy };

async function read(): Promise<Whole> {
  const [wallets, signers, allowed] = await Promise.all([get<Wallet[]>("/wallets"), get<Signer[]>("/signers"), get<Policy>("/wallets/policy")]);
  return { wallets, signers, allowed };
}

/** Balances are asked of the nodes: not after each event. */
const never = () => false;

export function WalletsView() {
  const { data, error } = useRead(read, never, "wallets");
  return (
    <>
      <h1 tabIndex={-1}>Wallets</h1>
      <Problems error={error} />
      {!data && !error && <Loading />}
      {data && <Shown whole={data} />}
    </>
  );
}

function Shown({ whole: { wallets, signers, allowed } }: { whole: Whole }) {
  const halted = signers.filter((signer) => signer.halted);
  return (
    <>
      {halted.map((signer) => (
        <p class="notice bad" role="alert" key={`${signer.realm}${signer.chain}${signer.wallet}`}>
          <strong>HALTED:</strong> nothing is signed with {signer.wallet} on {signer.chain}: {signer.halted}. Run <code>lgi-mm reconcile</code>{" "}
          on the machine: it shows what happened, and releases the wallet once that is explained.
        </p>
      ))}
      {wallets.length === 0 && (
        <p class="faint">
          No wallets: <code>lgi-mm wallet new</code> makes one.
        </p>
      )}
      {wallets.map((wallet) => (
        <Card wallet={wallet} signers={signers} allowed={allowed} key={`${wallet.realm}${wallet.address}`} />
      ))}
      <p class="faint">
        Free is what no job owns, no open transaction needs and no job keeps for gas. How long it lasts is at what jobs spent recently.
      </p>
      {allowed.policy ? (
        <p class="faint">
          The policy is the file <code>{allowed.policy.file}</code> of this machine; it is changed there alone.
        </p>
      ) : (
        <p class="faint lines">No live trade is signed by this machine: {allowed.problem}</p>
      )}
    </>
  );
}

function Card({ wallet, signers, allowed }: { wallet: Wallet; signers: Signer[]; allowed: Policy }) {
  const own = signers.filter((signer) => signer.realm === wallet.realm && same(signer.wallet, wallet.address));
  const place = wallet.keystore ?? (wallet.realm === "live" ? "its key is not on this machine" : "simulated");
  const named = `${wallet.realm === "live" ? "LIVE" : "paper"} wallet ${wallet.address}`;
  return (
    <section class={`card wallet ${wallet.realm}`} aria-label={named}>
      <h2>
        <Realm realm={wallet.realm} /> <code>{wallet.address}</code>
      </h2>
      <p class="faint wrap">{place}</p>
      {wallet.chains.map((chain) => (
        <div key={chain.chain}>
          <h3>
            {chain.chain}{" "}
            <small>
              {chain.jobs} {chain.jobs === 1 ? "job" : "jobs"} at work
            </small>
          </h3>
          {chain.problem && <p class="notice bad">Balances are not known: {chain.problem}</p>}
          <Table
            caption={`Balances of the ${named} on ${chain.chain}`}
            columns={ASSETS}
            rows={chain.assets}
            id={(asset) => asset.token}
            empty="No job trades here."
          />
          <dl>
            {own
              .filter((signer) => signer.chain === chain.chain)
              .map((signer) => (
                <Fact name="nonce" key={signer.chain}>
                  next {signer.next_nonce}
                  {signer.open_trades.length > 0 && `; open trades: ${signer.open_trades.join(", ")}`}
                  {signer.halted && <span class="bad">; HALTED</span>}
                </Fact>
              ))}
            {wallet.realm === "live" && allowed.policy && <Limits policy={allowed.policy} wallet={wallet.address} chain={chain.chain} />}
          </dl>
        </div>
      ))}
    </section>
  );
}

const same = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();

/** What the policy lets the wallet sign on a chain. */
function Limits({ policy, wallet, chain }: { policy: NonNullable<Policy["policy"]>; wallet: string; chain: string }) {
  const key = policy.keys.find((key) => key.chain === chain && same(key.wallet, wallet));
  if (!key) {
    return (
      <Fact name="policy">
        <span class="bad">signs nothing here: the policy does not allow this wallet on this chain</span>
      </Fact>
    );
  }
  const stopped = policy.stop || key.stop;
  return (
    <Fact name="policy">
      {stopped && <span class="bad">STOPPED: only cancels are signed. </span>}
      {key.problem ? <span class="bad">{key.problem}. </span> : null}
      at most {usd(key.max_trade_usd)} USD a trade; {usd(key.hour_used_usd)} of {usd(key.max_hour_usd)} this hour, {usd(key.day_used_usd)} of{" "}
      {usd(key.max_day_usd)} today; {key.tokens.length} {key.tokens.length === 1 ? "token" : "tokens"}
    </Fact>
  );
}

type Chain = Wallet["chains"][number];

const ASSETS: Column<Chain["assets"][number]>[] = [
  { name: "asset", cell: (asset) => asset.symbol },
  { name: "held", number: true, cell: (asset) => amount(asset.held) },
  { name: "of jobs", room: 1, number: true, cell: (asset) => amount(asset.of_jobs) },
  { name: "reserved", room: 1, number: true, cell: (asset) => amount(asset.reserved) },
  { name: "free", number: true, cell: (asset) => amount(asset.free) },
  { name: "spent a day", room: 1, number: true, cell: (asset) => amount(asset.spent_a_day) },
  { name: "lasts", number: true, cell: (asset) => (asset.lasts_seconds === null ? "-" : seconds(asset.lasts_seconds)) },
];
