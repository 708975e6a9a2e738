"""What applications do with redis-py: locks, optimistic transactions, streams, scripts,
messages and keyspace events, with threads and with asyncio. Fails by an assertion."""

import asyncio
import os
import threading
import time

import redis
import redis.asyncio

PORT = int(os.environ["PORT"])


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, decode_responses=True, socket_timeout=30, **options)


def refused(kind, text, call, *args, **options):
    try:
        call(*args, **options)
    except kind as e:
        assert text in str(e), f"{e!r} does not say {text!r}"
    else:
        raise AssertionError(f"{call.__name__} was not refused")


def replies_of_every_shape(c):
    assert c.set("s", "1", ex=100, get=True) is None
    assert c.getex("s", persist=True) == "1" and c.ttl("s") == -1
    assert c.mget("s", "none") == ["1", None]
    assert c.hset("h", mapping={"a": 1, "b": "ü"}) == 2 and c.hgetall("h") == {"a": "1", "b": "ü"}
    assert c.zadd("z", {"a": 1, "b": 2.5, "c": 3}) == 3
    assert c.zrange("z", "(1", "+inf", byscore=True, offset=0, num=1, withscores=True) == [("b", 2.5)]
    assert c.zadd("z", {"a": 9}, gt=True, ch=True) == 1 and c.bzpopmax("z", 1) == ("z", "a", 9.0)
    assert c.sadd("set", "x", "y") == 2 and c.smembers("set") == {"x", "y"}
    assert c.rpush("l", *range(5)) == 5 and c.lmpop(2, "none", "l", direction="RIGHT", count=2) == ["l", ["4", "3"]]
    assert c.bitfield("bits").set("u8", 0, 250).overflow("FAIL").incrby("u8", 0, 10).execute() == [0, None]
    assert c.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]) == 2
    assert c.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", withdist=True, sort="ASC") == [["Catania", 56.4413], ["Palermo", 190.4424]]
    assert c.pfadd("hll", *range(1000)) == 1 and abs(c.pfcount("hll") - 1000) < 30
    raw = redis.Redis(host="127.0.0.1", port=PORT)
    assert c.restore("copy", 0, raw.dump("h")) and c.hgetall("copy") == c.hgetall("h")
    assert set(c.scan_iter(count=2)) == {"s", "h", "z", "set", "l", "bits", "g", "hll", "copy"}
    assert set(c.scan_iter(_type="hash")) == {"h", "copy"}
    refused(redis.ResponseError, "WRONGTYPE", c.lpush, "s", "x")
    refused(redis.ResponseError, "unknown command 'NOPE', with args beginning with: 'x'", c.execute_command, "NOPE", "x")
    info = c.info("everything")
    assert info["redis_mode"] == "standalone" and info["db0"]["keys"] == 9 and "cmdstat_hset" in info
    assert c.command()["xadd"]["flags"] == ["write", "denyoom", "fast"] and c.client_list()[0]["resp"] == "2"


def users(c):
    c.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["h*"], categories=["+@read"])
    reader = connect(username="reader", password="secret")
    assert reader.hget("h", "a") == "1"
    refused(redis.exceptions.NoPermissionError, "ermissions", reader.hset, "h", "a", "2")
    refused(redis.exceptions.NoPermissionError, "ermissions", reader.get, "s")
    refused(redis.exceptions.ResponseError, "WRONGPASS", connect(username="reader", password="wrong").ping)
    assert {entry["reason"] for entry in c.acl_log()} == {"command", "key", "auth"}
    c.acl_deluser("reader")


def threads_share(c):
    def take():
        for _ in range(20):
            with connect().lock("lock", timeout=10, sleep=0.002):
                c.set("guarded", int(c.get("guarded")) + 1)
            c.transaction(lambda p: increment(p, "watched"), "watched")

    def increment(p, key):
        value = int(p.get(key))
        p.multi()
        p.set(key, value + 1)

    c.mset({"guarded": 0, "watched": 0})
    workers = [threading.Thread(target=take) for _ in range(5)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert c.mget("guarded", "watched") == ["100", "100"]
    lock = c.lock("lock", timeout=10)
    assert lock.acquire() and lock.extend(5) and lock.reacquire() and not c.lock("lock").acquire(blocking=False)
    lock.release()
    refused(redis.exceptions.LockError, "unlocked", c.lock("lock").release)
    with c.pipeline() as p:
        assert p.set("p", 1).lpush("p", "x").incr("p").execute(raise_on_error=False)[2] == 2
        refused(redis.exceptions.ResponseError, "wrong number of arguments", p.execute_command("GET").execute)


def streams_and_scripts(c):
    c.xgroup_create("x", "g", mkstream=True)
    refused(redis.ResponseError, "BUSYGROUP", c.xgroup_create, "x", "g")
    ids = [c.xadd("x", {"n": n}) for n in range(10)]
    assert [m[0] for m in c.xreadgroup("g", "dies", {"x": ">"}, count=4)[0][1]] == ids[:4]
    assert c.xpending("x", "g")["consumers"] == [{"name": "dies", "pending": 4}]
    assert [m[0] for m in c.xautoclaim("x", "g", "lives", 0, "0-0")[1]] == ids[:4]
    assert c.xack("x", "g", *ids[:4]) == 4 and c.xinfo_groups("x")[0]["lag"] == 6
    assert c.xread({"x": ids[-1]}, block=10) == []
    script = c.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[2])}")
    assert script(keys=["k", "n"], args=["v"]) == ["k", "v", 1]
    c.script_flush()
    assert script(keys=["k", "n"], args=["v"]) == ["k", "v", 2]


def messages(c):
    c.config_set("notify-keyspace-events", "KEA")
    p = c.pubsub()
    p.subscribe("news")
    p.psubscribe("__key*@0__:*")
    for _ in range(2):
        assert p.get_message(timeout=20)["type"] in ("subscribe", "psubscribe")
    assert c.publish("news", "hello") == 1
    c.set("event", 1, px=20)
    seen = [p.get_message(timeout=20) for _ in range(7)]
    while c.exists("event"):
        time.sleep(0.005)
    assert seen[0]["data"] == "hello"
    events = [(m["channel"], m["data"]) for m in seen[1:]]
    assert events == [(channel, data) for event in ("set", "expire", "expired")
                      for channel, data in (("__keyspace@0__:event", event), (f"__keyevent@0__:{event}", "event"))], events
    p.close()
    c.config_set("notify-keyspace-events", "")
    with c.monitor() as m:
        c.set("watched over", 1)
        assert m.next_command()["command"] == "SET watched over 1"


async def with_asyncio():
    c = redis.asyncio.Redis(host="127.0.0.1", port=PORT, decode_responses=True)
    done = []

    async def work():
        while (job := (await c.blpop("jobs", timeout=20))[1]) != "stop":
            done.append(int(job))

    workers = [asyncio.create_task(work()) for _ in range(5)]
    async with c.pipeline(transaction=False) as p:
        for n in [*range(200), *["stop"] * 5]:
            p.rpush("jobs", n)
        await p.execute()
    await asyncio.gather(*workers)
    assert sorted(done) == list(range(200))
    try:  # what is cancelled must not leave its reply to the next command
        await asyncio.wait_for(c.blpop("none", timeout=0), 0.05)
    except asyncio.TimeoutError:
        pass
    assert await c.echo("next") == "next"
    async with c.lock("lock", timeout=5) as lock:
        assert await lock.owned()
    await c.close()


client = connect()
client.flushall()
replies_of_every_shape(client)
users(client)
threads_share(client)
streams_and_scripts(client)
messages(client)
asyncio.run(with_asyncio())
