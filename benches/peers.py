"""The same series and the closest equal rule in lgi-mm and in three Python backtesters.

The rule: buy 10 USD every 4 hours at a fee of 0.4 % (in lgi-mm 30 bps of pool fee and 10 bps of slippage), a price a
minute. Two times are taken of each: the run alone, from prices in memory to the figures of the result, and the whole
process, from its start on a file to its end. What differs is printed with the figures.
"""

import csv
import datetime
import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

EVERY = 240
MONEY = 10.0
FEE = 0.004
CASH = 1e8
START = datetime.datetime(2010, 1, 1)
CONFIG = [
    "accumulate.dca_interval=4h", "accumulate.dca_amount_usd=10", "accumulate.dip_buy_threshold_pct=0",
    "accumulate.max_accumulation_usd=10000000", "limits.max_daily_spend_usd=0", "price.max_price_move_pct=0",
]
SETS = [word for pair in CONFIG for word in ("--set", pair)]
TIMES = 3


class Told:
    """What one program came to: seconds of the run alone and of the whole process, if they were taken, and remarks."""

    def __init__(self, name, alone, process, remark):
        self.name, self.alone, self.process, self.remark = name, alone, process, remark


def series(rows):
    """A walk around 100, a price a minute."""
    random.seed(7)
    price, out = 100.0, []
    for _ in range(rows):
        price *= 1 + random.gauss(0, 0.0008) + (100.0 - price) / 2_000_000
        out.append(round(price, 6))
    return out


def index(rows):
    import pandas

    return pandas.date_range(START, periods=rows, freq="1min")


def timed(run, times=TIMES, warm=True):
    """The median of `times` runs after one to warm up, and what the last one came to."""
    if warm:
        run()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        told = run()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), told


def process(arguments, **more):
    done = subprocess.run(arguments, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return done.stdout


def lgi_mm(binary, bench, path):
    alone = json.loads(process([bench, "--bench", "--prices", path, *SETS]))
    environment = {**os.environ, "LGI_MM__PAPER__WALLET_USD": f"{CASH:.0f}", "LGI_MM__PAPER__NATIVE": "10000"}
    command = [binary, "backtest", "--prices", path, "--mode", "accumulate", *SETS]
    seconds, table = timed(lambda: process(command, env=environment))
    assert f" {alone['buys']}, 0 " in table, "both ways are the same run"
    remark = (
        f"{alone['buys']} buys, decided minute by minute in exact decimals; the process also checks the file "
        "and runs lump sum and equal DCA"
    )
    return Told("lgi-mm", alone["seconds"], seconds, remark)


def vectorbt_folio(close):
    import numpy
    import vectorbt

    size = numpy.full(len(close), numpy.nan)
    size[::EVERY] = MONEY
    folio = vectorbt.Portfolio.from_orders(close, size=size, size_type="value", fees=FEE, init_cash=CASH)
    return int(folio.orders.count()), float(folio.total_profit()), float(folio.max_drawdown())


def vectorbt_process(path):
    """Run by a process of its own: what somebody's script would be."""
    import pandas

    frame = pandas.read_csv(path)
    close = pandas.Series(frame["price"].to_numpy(), index=pandas.to_datetime(frame["time"], unit="s"))
    print(vectorbt_folio(close))


def vectorbt(prices, path):
    import pandas

    close = pandas.Series(prices, index=index(len(prices)))
    alone, told = timed(lambda: vectorbt_folio(close))
    whole, _ = timed(lambda: process([sys.executable, __file__, "--vectorbt", path]))
    return Told("vectorbt", alone, whole, f"{told[0]} buys, given beforehand as an array; three figures of its result; floats")


def backtesting_stats(frame):
    from backtesting import Backtest, Strategy

    class Dca(Strategy):
        def init(self):
            self.count = 0

        def next(self):
            if self.count % EVERY == 0:
                self.buy(size=MONEY / CASH)
            self.count += 1

    # It trades whole units only: prices in millionths, so that 10 USD buy some.
    return Backtest(frame / 1e6, Dca, cash=CASH, commission=FEE, finalize_trades=True).run()["# Trades"]


def backtesting_process(path):
    """Run by a process of its own: what somebody's script would be."""
    import pandas

    frame = pandas.read_csv(path)
    columns = {name: frame["price"].to_numpy() for name in ("Open", "High", "Low", "Close")}
    print(backtesting_stats(pandas.DataFrame(columns, index=pandas.to_datetime(frame["time"], unit="s"))))


def backtesting(prices, path):
    import pandas

    frame = pandas.DataFrame({name: prices for name in ("Open", "High", "Low", "Close")}, index=index(len(prices)))
    alone, told = timed(lambda: backtesting_stats(frame))
    whole, _ = timed(lambda: process([sys.executable, __file__, "--backtesting", path]))
    return Told("backtesting.py", alone, whole, f"{told} buys, each an open trade of its own; floats")


ADDS = '''
    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe.index == 0, "enter_long"] = 1
        return dataframe
    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
    def adjust_trade_position(self, trade, current_time, *_, **__):
        minutes = int((current_time - trade.open_date_utc).total_seconds() // 60)
        return {money} if minutes and minutes % {every} == 0 else None
'''
SELLS = '''
    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe.index % {every} == 0, "enter_long"] = 1
        return dataframe
    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe.index % {every} == {every} // 2, "exit_long"] = 1
        return dataframe
'''


def freqtrade(prices, name, methods, adds, remark):
    import pandas

    home = Path(tempfile.mkdtemp(prefix="freqtrade-"))
    data = home / "data" / "binance"
    data.mkdir(parents=True)
    (home / "strategies").mkdir()
    dates = pandas.date_range(START, periods=len(prices), freq="1min", tz="UTC")
    columns = {column: prices for column in ("open", "high", "low", "close")}
    pandas.DataFrame({"date": dates, **columns, "volume": 1e6}).to_feather(data / "TKN_USDT-1m.feather")
    head = f'''
from freqtrade.strategy import IStrategy
class Dca(IStrategy):
    timeframe = "1m"
    stoploss = -0.99
    minimal_roi = {{}}
    position_adjustment_enable = {adds}
    def populate_indicators(self, dataframe, metadata):
        return dataframe
'''
    (home / "strategies" / "dca.py").write_text(head + methods.format(money=MONEY, every=EVERY))
    (home / "config.json").write_text(json.dumps({
        "max_open_trades": 1, "stake_currency": "USDT", "stake_amount": MONEY, "dry_run": True, "dry_run_wallet": CASH,
        "timeframe": "1m", "fee": FEE, "trading_mode": "spot", "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"name": "binance", "pair_whitelist": ["TKN/USDT"], "pair_blacklist": []},
        "entry_pricing": {"price_side": "same"}, "exit_pricing": {"price_side": "same"}, "internals": {},
    }))
    launcher = Path(__file__).with_name("peers_freqtrade.py")
    arguments = [
        sys.executable, str(launcher), "backtesting", "--config", str(home / "config.json"), "--userdir", str(home),
        "--datadir", str(data), "--strategy", "Dca", "--cache", "none", "--export", "none",
    ]
    whole, told = timed(lambda: process(arguments), times=1, warm=False)
    alone = next(float(line.split()[1]) for line in told.splitlines() if line.startswith("backtest-seconds "))
    return Told(name, alone, whole, f"{remark}; candles from feather; floats; timed once")


def side_by_side(rows, runs):
    print(f"\n{rows:,} rows", flush=True)
    found = []
    for run in runs:
        try:
            found.append(run())
        except Exception as error:  # Report programs that are missing or fail, do not hide them.
            print(f"left out: {type(error).__name__}: {error}")
    ours = found[0]

    def cells(seconds, own):
        if seconds is None:
            return "- | - | -"
        return f"{seconds:.4f} s | {rows / seconds:,.0f} | {seconds / own:,.1f}"

    print("| program | the run alone | rows a second | times our time | the whole process | rows a second | times our time | what it did |")
    print("|---|---|---|---|---|---|---|---|")
    for told in found:
        try:
            version = " " + importlib.metadata.version(told.name.split(",")[0].removesuffix(".py"))
        except importlib.metadata.PackageNotFoundError:
            version = ""
        print(f"| {told.name}{version} | {cells(told.alone, ours.alone)} | {cells(told.process, ours.process)} | {told.remark} |")


def write(folder, prices):
    path = os.path.join(folder, f"{len(prices)}.csv")
    begin = int(START.replace(tzinfo=datetime.timezone.utc).timestamp())
    with open(path, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["time", "price"])
        lines.writerows((begin + 60 * n, price) for n, price in enumerate(prices))
    return path


def main():
    binary, bench, longest = sys.argv[1], sys.argv[2], int(sys.argv[3])
    prices = series(longest)
    cores, load = os.cpu_count(), os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {cores} cores, load {load:.1f}; median of {TIMES} after a warm-up, unless said")
    leanest = "each buy sold again 2 hours later, since adding to a position slows it"
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted({min(longest, most) for most in (longest, 200_000, 20_000)}, reverse=True):
            few = prices[:rows]
            path = write(folder, few)
            runs = [lambda: lgi_mm(binary, bench, path), lambda: vectorbt(few, path)]
            if rows <= 200_000:
                runs.append(lambda: freqtrade(few, "freqtrade, leanest", SELLS, False, leanest))
            if rows <= 20_000:
                one = "buys added to one position, as ours does"
                runs.append(lambda: freqtrade(few, "freqtrade, one position", ADDS, True, one))
                runs.append(lambda: backtesting(few, path))
            side_by_side(rows, runs)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    scripts = {"--vectorbt": vectorbt_process, "--backtesting": backtesting_process}
    if sys.argv[1] in scripts:
        scripts[sys.argv[1]](sys.argv[2])
    else:
        main()
