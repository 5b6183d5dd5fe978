# SPDX-License-Identifier: Apache-2.0
"""The lines of the key-value benchmark: what is measured, with whom it is compared, what is to be reached.

Used by run_kv, which runs them, and kv_table, which prints them. A goal is a number that the ratio (or the figure of
EmbedCache itself) must reach: "at least" when more is better, "at most" when less is.
"""


class Line:
    """One comparison: a measurement of bench_kv, run for each peer in turn.

    figure   the name of the number that counts; higher is better when `more` is true.
    runs     {peer's label: arguments of bench_kv}; "edb" is ours and comes first.
    against  label of the peer that the ratio is with; None: the figure itself counts.
    goal     number to reach, or None.
    """

    def __init__(self, name, text, figure, runs, **how):
        self.name, self.text, self.figure, self.runs = name, text, figure, runs
        self.more = how.get("more", True)
        self.against = how.get("against")
        self.goal = how.get("goal")
        self.store = how.get("store")  # "big", "small", "memory": a filled store is used; None: a new one each time
        self.unit = how.get("unit", "/s")
        self.rounds = how.get("rounds", 1)  # times as many as usual: for what takes milliseconds
        self.cold = how.get("cold", False)


PEERS = ("edb", "lmdb", "sqlite")


def same(measurement, peers=PEERS, *arguments):
    """The same measurement with the same arguments for several peers."""
    return {peer: [measurement, peer, *arguments] for peer in peers}


def reading():
    return [
        Line("get", "get, copied, 1 thread", "per_second", same("get"), against="lmdb", goal=1.5, store="big"),
        Line("get_fresh", "the same, each get sees the newest commit", "per_second", same("get", PEERS, "--fresh"),
             against="lmdb", store="big"),
        Line("get_many", "get_many, 1,024 keys a call (peers: single gets)", "per_second",
             {"edb": ["get_many", "edb", "--batch", "1024"], "lmdb": ["get", "lmdb"], "sqlite": ["get", "sqlite"]},
             against="lmdb", store="big"),
        Line("view", "get, not copied (a pointer; its first bytes read)", "per_second", same("view", PEERS[:2]),
             against="lmdb", goal=2.5, store="big"),
    ]


def writing(rows, singles):
    """`rows` are inserted by the fast, a tenth of them where SQLite is to keep up; `singles` are durable puts."""
    tenth = str(max(rows // 10, 1000))
    some = ["--rows", str(rows)]
    lazy = same("insert", PEERS, *some)
    lazy["sqlite"] = ["insert", "sqlite", "--rows", tenth]
    durable = same("insert", PEERS, *some, "--durability", "durable")
    durable["sqlite"] = ["insert", "sqlite", "--rows", tenth, "--durability", "durable"]
    one = ["--batch", "1", "--rows", str(singles)]
    return [
        Line("insert", "insert, 1,000 a commit, not synced", "per_second", lazy, against="lmdb", goal=4.0,
             rounds=2),
        Line("insert_safe", "the same, SQLite at NORMAL: the file stays whole", "per_second",
             same("insert", ("edb", "sqlite"), "--rows", tenth, "--durability", "safe"), against="sqlite"),
        Line("insert_single", "insert, 1 a commit, not synced", "per_second",
             same("insert", PEERS, "--batch", "1", "--rows", tenth), against="lmdb", rounds=3),
        Line("insert_durable", "insert, 1,000 a durable commit", "per_second", durable, against="lmdb", goal=3.0,
             rounds=2),
        Line("put_durable", "one durable put (the floor: pwrite + fdatasync)", "us_median",
             same("insert", ("edb", "bare", "lmdb", "sqlite"), *one, "--durability", "durable"), more=False,
             against="bare", goal=1.2, unit="us", rounds=6),
    ]


def opening(cold):
    lines = []
    for store, size in (("big", "{rows:,} rows"), ("small", "{small_rows:,} small rows")):
        lines.append(Line("open_" + store, "open + first get, %s, warm" % size, "ms", same("open"), more=False,
                          goal=0.3, store=store, unit="ms", rounds=2))
        if cold:
            lines.append(Line("open_%s_cold" % store, "open + first get, %s, caches dropped" % size, "ms",
                              same("open", PEERS, "--cold"), more=False, against="lmdb", store=store, unit="ms",
                              cold=True))
    return lines


def space():
    return [
        Line("file_big", "file, times the bytes of keys and vectors", "file_ratio", {}, more=False, goal=1.02,
             store="big", unit="x"),
        Line("file_small", "file of {small_rows:,} small rows (16-byte keys, 4 elements)", "file_ratio", {},
             more=False, store="small", unit="x"),
        Line("memory", "anonymous memory of an open file, {memory_rows:,} rows, 1,000 gets", "rss_anon",
             same("memory"), more=False, goal=2 * 2 ** 20, store="memory", unit="MiB"),
    ]


def all_lines(rows, singles, cold):
    return reading() + writing(rows, singles) + opening(cold) + space()
